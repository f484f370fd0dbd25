import type { Database } from '../database.ts';

/** What stands in the bucket, and whose it says it is. */
export type Claimed = {
  readonly key: string;
  /** The operation or the content that its key names. */
  readonly owner: string;
};

/**
 * Bytes are explained by the content that they are, by an upload that has them in hand, or by an operation that is open, or
 * that will be swept. The rows of all tenants count.
 */
const uploads = `
select k.key from unnest($1::text[], $2::text[]) k (key, owner)
where exists (select from content c where c.object_key = k.key)
  or exists (select from operation o where o.id = k.owner and (o.settled_at is null or o.sweep_at is not null))
  or exists (select from upload_piece p where p.operation_id = k.owner and p.object_key = k.key)
  or exists (select from upload_segment s where s.operation_id = k.owner and s.object_key = k.key)`;

const derivatives = `
select k.key from unnest($1::text[], $2::text[]) k (key, owner) where exists (select from content c where c.id = k.owner)`;

/** @returns the keys of bytes that a row explains */
export async function explainedUploads(database: Database, claimed: readonly Claimed[]): Promise<ReadonlySet<string>> {
  return await explained(database, 'explained_uploads', uploads, claimed);
}

/** @returns the keys of derivatives whose content is there, in whatever state */
export async function explainedDerivatives(
  database: Database,
  claimed: readonly Claimed[],
): Promise<ReadonlySet<string>> {
  return await explained(database, 'explained_derivatives', derivatives, claimed);
}

async function explained(
  database: Database,
  name: string,
  text: string,
  claimed: readonly Claimed[],
): Promise<ReadonlySet<string>> {
  if (claimed.length === 0) return new Set();
  const values = [claimed.map(({ key }) => key), claimed.map(({ owner }) => owner)];
  const [rows = []] = await database.flush(null, { name, text, values });
  return new Set(rows.map((row) => row.key as string));
}
