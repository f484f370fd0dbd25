import type { OperationState } from '../../../../workflows/operation/state.ts';
import type { Row, Statement } from '../database.ts';

/** The bytes that count for an upload: the evidence that its step `receive` waits for. */
export type ReceivedBytes = {
  readonly method: 'door' | 'presigned';
  readonly objectKey: string;
  readonly size: number;
  /** Lower-case hex; null if nobody has proven it yet. */
  readonly sha256: string | null;
  /** The type that the first bytes show, or '' if they show none; null if nobody has looked yet. */
  readonly sniffedType: string | null;
};

export type Transfer = { readonly state: OperationState; readonly cancelRequested: boolean; readonly due: boolean } & (
  | { readonly outcome: 'open' }
  | { readonly outcome: 'closed' }
  | { readonly outcome: 'received'; readonly bytes: ReceivedBytes }
);

const text = `
select o.state, o.cancel_requested_at is not null as cancelled, coalesce(o.deadline <= now(), false) as due,
  a.outcome, a.evidence
from operation o left join awaited a on a.operation_id = o.id and a.step = 'receive' where o.id = $1`;

export function readTransfer(operation: string): Statement {
  return { name: 'read_transfer', text, values: [operation] };
}

export function transferOf(rows: readonly Row[] | undefined): Transfer {
  const row = rows?.[0];
  if (row === undefined) throw new Error('The upload has no row in the ledger');
  const about = {
    state: row.state as OperationState,
    cancelRequested: row.cancelled as boolean,
    due: row.due as boolean,
  };
  switch (row.outcome as 'arrived' | 'closed' | null) {
    case null:
      return { ...about, outcome: 'open' };
    case 'closed':
      return { ...about, outcome: 'closed' };
    case 'arrived':
      return { ...about, outcome: 'received', bytes: row.evidence as ReceivedBytes };
  }
}
