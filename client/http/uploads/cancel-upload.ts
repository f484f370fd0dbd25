import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { Gateway } from '../../gateway.ts';
import { HttpProblem } from '../problems/http-problem.ts';

/**
 * Ends an upload that its client no longer wants. Repeatable. A finished upload keeps its file: ending a transfer never
 * deletes one.
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
