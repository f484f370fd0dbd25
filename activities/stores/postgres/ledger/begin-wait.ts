import type { WaitCall } from '../../../../workflows/operation/call.ts';
import type { Row, Statement } from '../database.ts';
import { enter } from './enter.ts';

export type Waiting = {
  readonly cancelRequested: boolean;
  /** Until the wait ends, by PostgreSQL's clock and the row as it now stands; not positive once it has. Milliseconds. */
  readonly remaining: number;
};

/** `sent` says that the caller was asked: from now on something may have arrived outside, and an undo looks for it. */
const text = `
insert into step (operation_id, tenant, name, position, state, request) values ($1, $2, $3, $4, 'sent', 'null')
on conflict (operation_id, name) do nothing`;

const terms = `
select cancel_requested_at is not null as cancelled,
  greatest(0, extract(epoch from deadline - now()) * 1000) as remaining
from operation where id = $1`;

export function beginWait(call: WaitCall): Statement[] {
  const { operation, step, position, carry } = call;
  return [
    ...enter(call, { kind: 'wait' }, carry),
    { name: 'begin_wait', text, values: [operation.id, operation.tenant, step, position] },
    { name: 'wait_terms', text: terms, values: [operation.id] },
  ];
}

const over = `select move($1, 'running') from operation where id = $1 and state = 'waiting'`;

/** What was waited for has come: nobody is ever told to wait who has been told that it came. */
export function endWait({ operation }: WaitCall): Statement {
  return { name: 'end_wait', text: over, values: [operation.id] };
}

export function waiting(rows: readonly Row[] | undefined): Waiting {
  const row = rows?.[0];
  if (row === undefined) throw new Error('The wait has no operation');
  if (row.remaining === null) throw new Error('An operation that waits for its caller needs a deadline');
  return { cancelRequested: row.cancelled as boolean, remaining: Math.ceil(Number(row.remaining)) };
}
