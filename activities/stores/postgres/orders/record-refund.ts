import type { Statement } from '../database.ts';
import { type Made, madeRefund } from './made-refund.ts';

/** Records a refund that was held, and books its money. */
const text = `
with ${madeRefund}
select step_done($1, $4, null) as done from made`;

export function recordRefund(operation: string, { provider, object }: Made<string>, step: string): Statement {
  return { name: 'record_refund', text, values: [operation, provider, object, step] };
}
