import { messageId } from '../../../../workflows/operation/key.ts';
import type { Statement } from '../database.ts';

/**
 * Marks the asset as ready, and tells two things: that it is ready, and what it uses. `stored` is what the
 * upload has added to the object store: nothing where its scope had the bytes already. A repetition changes nothing.
 */
const text = `
with ready as (
  update asset a set ready_at = now() from content c
  where a.operation_id = $1 and a.ready_at is null and c.id = a.content_id
  returning a.id, a.tenant, a.environment, a.subject, a.operation_id, a.destination, a.name, a.type, c.size, c.sha256,
    case when c.id = $3 then c.size else 0 end as stored
), made as (
  insert into derivative (content_id, tenant, name, state, files, code, detail)
  select a.content_id, a.tenant, d.name, d.state, d.files, d.code, d.detail
  from asset a, jsonb_to_recordset($4) d (name text, state text, files jsonb, code text, detail text)
  where a.operation_id = $1
  on conflict (content_id, name) do update set state = excluded.state, files = excluded.files, code = excluded.code,
    detail = excluded.detail, made_at = now() where derivative.state = 'failed'
)
select step_done($1, $2, null) as done
from ready r,
  lateral tell($5, r.operation_id, 'event', 'asset', r.id, 'asset.ready', jsonb_build_object('asset', r.id,
    'destination', r.destination, 'name', r.name, 'type', r.type, 'size', r.size, 'sha256', r.sha256)) as told,
  lateral tell($6, r.operation_id, 'event', 'upload', r.operation_id, 'upload.used', jsonb_build_object(
    'environment', r.environment, 'subject', r.subject, 'destination', r.destination, 'asset', r.id, 'bytes', r.size,
    'stored', r.stored)) as used
where told is not null and used is not null`;

/** What was made of the content, or why not. One that failed before gives way to a later try. */
export type MadeDerivative = {
  readonly name: string;
  readonly state: 'done' | 'failed';
  readonly files: readonly object[];
  readonly code?: string;
  readonly detail?: string;
};

/** @param content the id of the content that this operation would have made */
export function publishAsset(
  operation: string,
  step: string,
  content: string,
  derivatives: readonly MadeDerivative[],
): Statement {
  return {
    name: 'publish_asset_and_tell',
    text,
    values: [
      ...[operation, step, content, JSON.stringify(derivatives)],
      ...['asset.ready', 'upload.used'].map((says) => messageId(operation, says)),
    ],
  };
}
