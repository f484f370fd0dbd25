import type { Statement } from '../database.ts';

/** Marks the asset as ready and puts the message about it into the outbox. A repetition changes nothing. */
const text = `
with ready as (
  update asset set ready_at = now() where operation_id = $1 and ready_at is null
  returning id, tenant, operation_id, destination, name, type, content_id
)
insert into outbox (tenant, operation_id, aggregate, sequence, type, payload)
select r.tenant, r.operation_id, r.id, 1, 'asset.ready',
  jsonb_build_object('asset', r.id, 'destination', r.destination, 'name', r.name, 'type', r.type,
    'size', c.size, 'sha256', c.sha256)
from ready r join content c on c.id = r.content_id
returning step_done($1, $2, null) as done`;

export function publishAsset(operation: string, step: string): Statement {
  return { name: 'publish_asset', text, values: [operation, step] };
}
