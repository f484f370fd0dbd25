import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database, Row } from '../database.ts';

/** A file that was made of a content. */
type DerivativeFile = {
  readonly key: string;
  readonly type: string;
  readonly width: number;
  readonly height: number;
  readonly size: number;
};

type Derivative = { readonly name: string } & (
  | { readonly state: 'done'; readonly files: readonly DerivativeFile[] }
  | { readonly state: 'failed'; readonly code: string; readonly detail: string; readonly failedAt: string }
);

/** A file that is ready, and may be deleted meanwhile. */
export type Asset = {
  readonly id: string;
  readonly environment: Environment;
  readonly subject: string;
  /** Who may see it, as it was announced: everybody of its tenant, or its subject alone. */
  readonly readers: 'tenant' | 'subject';
  readonly operation: string;
  readonly destination: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
  readonly sha256: string;
  /** What it shares with other files of the same bytes. */
  readonly content: string;
  readonly objectKey: string;
  readonly createdAt: Date;
  readonly readyAt: Date;
  /** Why its type is believed; null where it was placed before that was kept. */
  readonly evidence: Readonly<Record<'declared' | 'shown' | 'by' | 'verdict', string>> | null;
  /** The asset that has taken its place. */
  readonly replacedBy: string | null;
  /** `gone`: it can be restored no more. */
  readonly deleted: { readonly at: Date; readonly goneAfter: Date; readonly gone: boolean } | undefined;
  /** The object store has its bytes no more. */
  readonly lost: boolean;
  readonly derivatives: readonly Derivative[];
};

const text = `
select a.id, a.environment, a.subject, a.readers, a.operation_id, a.destination, a.name, a.type, c.size, c.sha256, c.id as content, c.object_key,
  a.created_at, a.ready_at, a.evidence, a.replaced_by, a.deleted_at, a.gone_after, a.gone_after <= now() as gone,
  c.state = 'lost' as lost, (
    select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', d.name, 'state', d.state,
      'files', case d.state when 'done' then d.files end, 'code', d.code, 'detail', d.detail,
      'failedAt', case d.state when 'failed' then d.made_at end)) order by d.name), '[]')
    from derivative d where d.content_id = c.id) as derivatives
from asset a join content c on c.id = a.content_id
where a.id = $1 and a.ready_at is not null and c.state <> 'deleting'`;

/** @returns undefined where there is none, none yet, or its bytes are being removed */
export async function readAsset(database: Database, tenant: string, id: string): Promise<Asset | undefined> {
  const [rows] = await database.flush(tenant, { name: 'read_asset_and_content', text, values: [id] });
  const row = rows?.[0];
  return row && assetOf(row);
}

function assetOf(row: Row): Asset {
  return {
    id: row.id as string,
    environment: row.environment as Environment,
    subject: row.subject as string,
    readers: row.readers as Asset['readers'],
    operation: row.operation_id as string,
    destination: row.destination as string,
    name: row.name as string,
    type: row.type as string,
    size: Number(row.size),
    sha256: row.sha256 as string,
    content: row.content as string,
    objectKey: row.object_key as string,
    createdAt: row.created_at as Date,
    readyAt: row.ready_at as Date,
    evidence: row.evidence as Asset['evidence'],
    replacedBy: row.replaced_by as string | null,
    deleted:
      row.deleted_at === null
        ? undefined
        : { at: row.deleted_at as Date, goneAfter: row.gone_after as Date, gone: row.gone as boolean },
    lost: row.lost as boolean,
    derivatives: (row.derivatives as readonly Derivative[]).map((one) =>
      // PostgreSQL writes it by the time zone of its session.
      one.state === 'failed' ? { ...one, failedAt: new Date(one.failedAt).toISOString() } : one,
    ),
  };
}
