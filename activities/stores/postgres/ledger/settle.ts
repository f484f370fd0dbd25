import { answerOf } from '../../../../workflows/operation/answer.ts';
import type { OperationRef, Settlement } from '../../../../workflows/operation/call.ts';
import type { Statement } from '../database.ts';

const text = `
select settle($1, $2, row($3, $4, $5, $6, $7, $8, $9 * interval '1 millisecond', $10 * interval '1 millisecond',
  $11 * interval '1 millisecond')::settlement, $12)`;

/**
 * Writes outcome and answer at once, and notifies everyone who waits.
 * @param by the step that ends the story, if this is in its transaction; nothing settles unless it is done
 */
export function settle(
  { id }: OperationRef,
  { outcome, requestId, renewable, keep, sweepAfter }: Settlement,
  by: string | null = null,
): Statement {
  const { status, headers, body } = answerOf(id, outcome, { requestId, renewable });
  // The body is the only stored result.
  const refusal = outcome.state === 'succeeded' ? null : outcome.refusal;
  return {
    name: 'settle',
    text,
    values: [
      id,
      outcome.state,
      status,
      headers,
      Buffer.from(body),
      null,
      refusal,
      renewable,
      keep.response,
      Math.max(keep.tombstone, keep.response),
      sweepAfter,
      by,
    ],
  };
}
