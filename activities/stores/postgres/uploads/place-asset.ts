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
  /** What is known of its type; undefined where a former worker has verified it. */
  readonly evidence: object | undefined;
  /** By default its whole tenant. */
  readonly readers: 'tenant' | 'subject' | undefined;
};

/** It returns no asset if the place is taken, or if this operation has placed one that was forgotten. */
const text = `
select case when not p.placed ?| array['holder', 'gone'] then step_done($1, $14, p.placed) end as done,
  p.placed ->> 'holder' as holder, p.placed ? 'gone' as gone
from place_asset($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) p (placed)`;

export function placeAsset(placement: Placement, step: string): Statement {
  const {
    operation,
    asset,
    content,
    dedup,
    destination,
    name,
    type,
    sha256,
    size,
    objectKey,
    whenSame,
    evidence,
    readers,
  } = placement;
  return {
    name: 'place_asset_with_evidence',
    text,
    values: [
      ...[operation, asset, content, dedup, destination, name, type, sha256, size, objectKey, whenSame],
      ...[evidence === undefined ? null : JSON.stringify(evidence), readers ?? null, step],
    ],
  };
}
