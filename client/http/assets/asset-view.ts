import { z } from 'zod';
import type { Asset } from '../../../activities/stores/postgres/assets/read-asset.ts';
import { type Assets, downloadLifetime } from '../../uploads/assets.ts';

const url = z.string();
const signed = z
  .object({ method: z.literal('GET'), url, expiresAt: z.string() })
  .describe('At the object store, without a token. Signed afresh for each answer.');

const derivative = z.object({
  name: z.string(),
  state: z.enum(['done', 'failed']),
  files: z
    .array(z.object({ type: z.string(), width: z.int(), height: z.int(), size: z.int(), download: signed }))
    .optional(),
  code: z.string().optional(),
  detail: z.string().optional().describe('Why there is none.'),
});

export const assetSchema = z
  .object({
    id: z.string(),
    state: z
      .enum(['ready', 'deleted', 'lost'])
      .describe(
        '`lost`: the object store has its bytes no more. It is ready again once they are put back, or uploaded again.',
      ),
    name: z.string(),
    type: z.string().describe('As it was declared.'),
    size: z.int(),
    sha256: z.string(),
    destination: z.string(),
    operation: z.string().describe('The upload that made it.'),
    createdAt: z.string(),
    readyAt: z.string(),
    deletedAt: z.string().optional(),
    restorableUntil: z.string().optional(),
    replacedBy: z.string().optional().describe('The asset that has taken its place.'),
    evidence: z
      .object({ declared: z.string(), shown: z.string(), by: z.string(), verdict: z.string() })
      .optional()
      .describe('Why its type is believed.'),
    content: z
      .object({ method: z.literal('GET'), url })
      .optional()
      .describe('Through this API, with ranges.'),
    download: signed.optional(),
    derivatives: z.array(derivative).describe('What was made of its bytes, such as thumbnails.'),
  })
  .meta({ id: 'Asset', description: 'A file that is ready' });

/** @param base the address of this API */
export async function assetView(assets: Assets, asset: Asset, base: string): Promise<z.output<typeof assetSchema>> {
  const { id, name, type, size, sha256, destination, operation, evidence, replacedBy, deleted } = asset;
  const expiresAt = new Date(Date.now() + downloadLifetime).toISOString();
  return {
    id,
    state: deleted !== undefined ? 'deleted' : asset.lost ? 'lost' : 'ready',
    ...{ name, type, size, sha256, destination, operation },
    createdAt: asset.createdAt.toISOString(),
    readyAt: asset.readyAt.toISOString(),
    ...(deleted !== undefined
      ? { deletedAt: deleted.at.toISOString(), restorableUntil: deleted.goneAfter.toISOString() }
      : asset.lost
        ? {}
        : {
            content: { method: 'GET', url: new URL(`/v1/assets/${id}/content`, base).href },
            download: { method: 'GET', url: await assets.signed(asset), expiresAt },
          }),
    ...(replacedBy === null ? {} : { replacedBy }),
    ...(evidence === null ? {} : { evidence }),
    derivatives: deleted === undefined ? await Promise.all(asset.derivatives.map(shown)) : [],
  };

  async function shown(one: Asset['derivatives'][number]): Promise<z.output<typeof derivative>> {
    if (one.state === 'failed') return { name: one.name, state: 'failed', code: one.code, detail: one.detail };
    const files = one.files.map(async ({ key, ...file }) => {
      const download = { method: 'GET', url: await assets.signedDerivative(key, file.type), expiresAt } as const;
      return { ...file, download };
    });
    return { name: one.name, state: 'done', files: await Promise.all(files) };
  }
}
