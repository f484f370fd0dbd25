import type { FastifyRequest } from 'fastify';
import type { Asset } from '../../../activities/stores/postgres/assets/read-asset.ts';
import type { AssetReader, Assets } from '../../uploads/assets.ts';
import { shownSubject } from '../operations/shown-operations.ts';
import { HttpProblem } from '../problems/http-problem.ts';

export function readerOf({ caller }: FastifyRequest): AssetReader {
  const { tenant, environment } = caller;
  return { tenant, environment, subject: shownSubject(caller) };
}

/**
 * @param evenGone whether one is meant too that can be restored no more
 * @throws HttpProblem not-found
 */
export async function shownAsset(assets: Assets, request: FastifyRequest, evenGone = false): Promise<Asset> {
  const asset = await assets.find(readerOf(request), (request.params as { readonly id: string }).id, evenGone);
  if (asset === undefined) throw new HttpProblem('not-found', 'There is no such file.');
  return asset;
}

/** @throws HttpProblem forbidden where a caller may see the file of another subject, and not change it */
export function expectOwner({ caller }: FastifyRequest, asset: Asset): void {
  if (caller.role === 'caller' && asset.subject !== caller.subject)
    throw new HttpProblem('forbidden', 'Only the subject that owns a file may change it.');
}
