import type { Statement } from '../database.ts';

/** Where two uploads of the same bytes share one object. No scope crosses a tenant or an environment. */
export type DedupScope = 'global' | 'account' | 'folder' | 'intent';

type Placement = {
  readonly operation: string;
  readonly asset: string;
  readonly content: string;
  readonly dedup: DedupScope;
  readonly destination: string;
  readonly name: string;
  readonly type: string;
  readonly sha256: string;
  readonly size: number;
  readonly objectKey: string;
};

/**
 * Makes the asset and the content that it refers to: the one that lives in the scope, or else these bytes. The
 * conflicting update changes nothing; it returns the living row and locks it, so that nobody collects it before this
 * commit. It returns no rows if this operation has an asset from before its key was forgotten, or has left a content
 * to others.
 */
const text = `
with owner as (
  select tenant, environment, subject, case $4
    when 'global' then jsonb_build_array(tenant, environment, 'global')
    when 'account' then jsonb_build_array(tenant, environment, 'account', subject)
    when 'folder' then jsonb_build_array(tenant, environment, 'folder', subject, $5::text)
    when 'intent' then jsonb_build_array(tenant, environment, 'intent', id) end as shares
  from operation
  where id = $1 and not exists (select from asset where operation_id = $1)
    and not exists (select from content where id = $3)
), kept as (
  insert into content (id, tenant, environment, dedup_scope, sha256, size, type, object_key)
  select $3, tenant, environment, encode(sha256(convert_to(shares::text, 'UTF8')), 'hex'), $8, $9, $7, $10 from owner
  on conflict (tenant, dedup_scope, sha256) where state = 'live' do update set state = content.state
  returning id, object_key
), placed as (
  insert into asset (id, tenant, environment, subject, operation_id, destination, name, type, content_id)
  select $2, tenant, environment, subject, $1, $5, $6, $7, kept.id from owner, kept
)
select step_done($1, $11, jsonb_build_object(
  'assetId', $2::text, 'content', id, 'objectKey', object_key, 'deduplicated', id <> $3)) as done
from kept`;

export function placeAsset(placement: Placement, step: string): Statement {
  const { operation, asset, content, dedup, destination, name, type, sha256, size, objectKey } = placement;
  return {
    name: 'place_asset',
    text,
    values: [operation, asset, content, dedup, destination, name, type, sha256, size, objectKey, step],
  };
}
