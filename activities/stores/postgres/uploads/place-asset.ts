import type { Statement } from '../database.ts';

/** Where two uploads of the same bytes share one object. No scope crosses a tenant or an environment. */
export type DedupScope = 'global' | 'account' | 'folder' | 'intent';

/** What becomes of a file whose name is taken at its destination. */
export type WhenSame = 'keep_both' | 'replace' | 'refuse';

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
  readonly whenSame: WhenSame;
};

/** It returns no asset if the place is taken, or if this operation has placed one that was forgotten. */
const text = `
select case when not p.placed ? 'holder' then step_done($1, $12, p.placed) end as done, p.placed ->> 'holder' as holder
from place_asset($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) p (placed)`;

export function placeAsset(placement: Placement, step: string): Statement {
  const { operation, asset, content, dedup, destination, name, type, sha256, size, objectKey, whenSame } = placement;
  return {
    name: 'place_asset_at_its_place',
    text,
    values: [operation, asset, content, dedup, destination, name, type, sha256, size, objectKey, whenSame, step],
  };
}
