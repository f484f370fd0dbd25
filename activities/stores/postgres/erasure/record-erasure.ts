import type { About } from '../../about.ts';
import type { Statement } from '../database.ts';

/** Records whose data are to be erased. What was claimed before this moment is concerned. */
const record = `
with recorded as (
  insert into erasure (operation_id, tenant, environment, subject) values ($1, $2, $3, $4)
  on conflict (operation_id) do nothing
)
select step_done($1, $5, null) as done`;

const report = `select step_done($1, $2, null) as done from erasure where operation_id = $1`;

export function recordErasure(subject: string, { operation, tenant, environment }: About, step: string): Statement {
  return { name: 'record_erasure', text: record, values: [operation, tenant, environment, subject, step] };
}

export function reportErasure(operation: string, step: string): Statement {
  return { name: 'report_erasure', text: report, values: [operation, step] };
}
