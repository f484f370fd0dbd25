import type { WaitCall } from '../../../../workflows/operation/call.ts';
import type { Row, Statement } from '../database.ts';
import { enter } from './enter.ts';

/** Where a wait stands. */
export type Waiting = {
  readonly cancelRequested: boolean;
  /** Time until the wait ends, by PostgreSQL's clock; zero or negative once it has ended. Milliseconds. */
  readonly remaining: number;
  /** What has come, if anything; `closed` if nothing will count any more. */
  readonly outcome: Outcome;
};

type Outcome =
  | { readonly kind: 'arrived'; readonly evidence: Readonly<Record<string, unknown>> }
  | { readonly kind: 'open' }
  | { readonly kind: 'closed' };

const outcome = 'select outcome, evidence from awaited where operation_id = $1 and step = $2';

/**
 * Looks for evidence that has arrived. @param closing ends the wait if its deadline has passed and nothing has arrived
 */
export function lookAtWait(
  { operation, step, position, patience, carry, ...held }: WaitCall,
  closing: boolean,
): Statement[] {
  return [
    ...enter({ operation, ...held }, { kind: 'wait' }, carry),
    {
      name: 'begin_wait',
      text: 'select cancelled, remaining_ms from begin_wait($1, $2, $3, $4)',
      values: [operation.id, step, position, patience],
    },
    ...(closing ? [{ name: 'close_wait', text: 'select close_wait($1, $2)', values: [operation.id, step] }] : []),
    { name: 'wait_outcome', text: outcome, values: [operation.id, step] },
  ];
}

/** @param rows the rows that the statements of `lookAtWait` returned */
export function waiting(rows: readonly (readonly Row[])[], closing: boolean): Waiting {
  const terms = rows.at(closing ? -3 : -2)?.[0];
  if (terms === undefined) throw new Error('The wait has no operation');
  if (terms.remaining_ms === null) throw new Error('An operation that waits needs a deadline');
  return {
    cancelRequested: terms.cancelled as boolean,
    remaining: Math.ceil(Number(terms.remaining_ms)),
    outcome: outcomeOf(rows.at(-1)?.[0]),
  };
}

function outcomeOf(row: Row | undefined): Outcome {
  switch (row?.outcome as 'arrived' | 'closed' | undefined) {
    case undefined:
      return { kind: 'open' };
    case 'arrived':
      return { kind: 'arrived', evidence: row?.evidence as Record<string, unknown> };
    case 'closed':
      return { kind: 'closed' };
  }
}

const over = `select move($1, 'running') from operation where id = $1 and state = 'waiting'`;

/** Once a caller has seen the arrival, it is never told to wait again. */
export function endWait({ operation }: WaitCall): Statement {
  return { name: 'end_wait', text: over, values: [operation.id] };
}
