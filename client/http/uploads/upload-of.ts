import type { FastifyRequest } from 'fastify';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { Gateway } from '../../gateway.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { isOwn, shownOperation } from '../operations/shown-operations.ts';

/**
 * The upload that a request is about.
 * @param id by default the one in its path
 * @throws HttpProblem not-found, forbidden
 */
export async function uploadOf(
  gateway: Gateway,
  request: FastifyRequest,
  id = (request.params as { readonly id: string }).id,
): Promise<OperationRecord> {
  const record = await shownOperation(gateway, request.caller, id);
  if (record.flow !== 'upload') throw new HttpProblem('not-found', 'There is no such upload.');
  // An operator may see the upload, but only the subject that announced it may send the bytes.
  if (!isOwn(request.caller, record))
    throw new HttpProblem('forbidden', 'Only the subject that announced an upload may send its bytes or complete it.');
  return record;
}
