import type { FastifyRequest } from 'fastify';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { Refusal } from '../../../workflows/operation/outcome.ts';
import type { Gateway } from '../../gateway.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { isOwn, shownOperation } from '../operations/shown-operations.ts';

/**
 * The upload that a URL names.
 * @throws HttpProblem not-found, forbidden
 */
export async function uploadOf(gateway: Gateway, request: FastifyRequest, id: string): Promise<OperationRecord> {
  const record = await shownOperation(gateway, request.caller, id);
  if (record.flow !== 'upload') throw new HttpProblem('not-found', 'There is no such upload.');
  // An operator may see the upload, but only the subject that announced it may send the bytes.
  if (!isOwn(request.caller, record))
    throw new HttpProblem('forbidden', 'Only the subject that announced an upload may send its bytes or complete it.');
  return record;
}

/**
 * Ends an upload whose client wants it no more. Repeatable. A finished one keeps its file: that is not decided by its
 * transfer.
 * @throws HttpProblem already-settled, not-found
 */
export async function cancelUpload(gateway: Gateway, record: OperationRecord): Promise<void> {
  switch (await gateway.cancel(record)) {
    case 'requested':
      return;
    case 'already-settled':
    case 'past-no-return': {
      const now = (await gateway.status(record.tenant, record.id)) ?? record;
      if (now.state === 'cancelled') return;
      throw new HttpProblem(
        'already-settled',
        'The upload has ended, and its file stays: a transfer that is over cannot be taken back.',
        { state: now.state },
        { operation: record.id, ...(now.state === 'succeeded' ? {} : { status: 410 }) },
      );
    }
    case 'missing':
      throw new HttpProblem('not-found', 'There is no such upload.');
  }
}

/** A refusal as a protocol tells it, which may know another status for it. */
export function protocolProblem(
  { code, detail, more }: Refusal,
  operation: string,
  statuses: Readonly<Record<string, number>>,
): HttpProblem {
  return new HttpProblem(code, detail, more, { operation, status: statuses[code] });
}
