import type { Statement } from '../database.ts';
import type { MadeDerivative } from '../uploads/publish-asset.ts';

/** One that is done stays as it is. */
const text = `
with kept as (
  insert into derivative (content_id, tenant, name, state, files, code, detail)
  select c.id, c.tenant, d.name, d.state, d.files, d.code, d.detail
  from content c, jsonb_to_record($4) d (name text, state text, files jsonb, code text, detail text)
  where c.id = $3
  on conflict (content_id, name) do update set state = excluded.state, files = excluded.files, code = excluded.code,
    detail = excluded.detail, made_at = now() where derivative.state = 'failed'
)
select step_done($1, $2, null) as done from content where id = $3`;

/** Keeps what was made of a content, or why not, with its files. */
export function recordDerivative(
  operation: string,
  step: string,
  content: string,
  derivative: MadeDerivative,
): Statement {
  return { name: 'record_derivative', text, values: [operation, step, content, JSON.stringify(derivative)] };
}
