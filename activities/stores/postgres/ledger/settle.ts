import { answerOf } from '../../../../workflows/operation/answer.ts';
import type { OperationRef, Settlement } from '../../../../workflows/operation/call.ts';
import type { Statement } from '../database.ts';

/**
 * Outcome and answer in one write, and the news to everyone who waits, delivered when the transaction commits. A small
 * answer travels with the news, which spares each waiting process a read (NOTIFY carries less than 8,000 bytes).
 */
const text = `
with settled as (
  update operation
  set state = $2, answer_status = $3, answer_headers = $4, answer_body = $5, result = $6, refusal = $7, renewable = $8,
      settled_at = now(), updated_at = now(),
      answer_expires_at = now() + $9 * interval '1 millisecond',
      tombstone_until = now() + $10 * interval '1 millisecond',
      sweep_at = now() + $11 * interval '1 millisecond'
  where id = $1 and settled_at is null
    and ($12::text is null or exists (select from step where operation_id = $1 and name = $12 and state = 'done'))
  returning id, state, renewable, flow_version, answer_status, answer_headers, answer_body, answer_expires_at, tenant
)
select pg_notify((select name from news_channel), case
  when octet_length(answer_body) + octet_length(answer_headers::text) < 5000
  then jsonb_build_object('id', id, 'tenant', tenant, 'state', state, 'renewable', renewable, 'flowVersion', flow_version,
    'status', answer_status, 'headers', answer_headers, 'body', encode(answer_body, 'base64'),
    'expiresAt', answer_expires_at)::text
  else jsonb_build_object('id', id, 'tenant', tenant)::text end)
from settled`;

/** @param by the step that ends the story, in whose transaction this is: nothing settles unless it is done */
export function settle(
  { id }: OperationRef,
  { outcome, requestId, renewable, keep, sweepAfter }: Settlement,
  by: string | null = null,
): Statement {
  const { status, headers, body } = answerOf(id, outcome, { requestId, renewable });
  const [result, refusal] = outcome.state === 'succeeded' ? [outcome.result, null] : [null, outcome.refusal];
  return {
    name: 'settle',
    text,
    values: [
      id,
      outcome.state,
      status,
      headers,
      Buffer.from(body),
      result,
      refusal,
      renewable,
      keep.response,
      Math.max(keep.tombstone, keep.response),
      sweepAfter,
      by,
    ],
  };
}
