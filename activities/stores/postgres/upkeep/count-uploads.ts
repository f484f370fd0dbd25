import type { Database } from '../database.ts';

/** Uploads by what has become of them. All that were ever announced are in exactly one of the others. */
export type UploadBalance = Readonly<
  Record<'created' | 'finalized' | 'failed' | 'cancelled' | 'expired' | 'active', number>
>;

/** One statement, so that all numbers are of one moment. */
const text = `
select count(*)::float8 as created,
  count(*) filter (where state = 'succeeded')::float8 as finalized,
  count(*) filter (where state in ('refused', 'compensated', 'compensation_incomplete'))::float8 as failed,
  count(*) filter (where state = 'cancelled')::float8 as cancelled,
  count(*) filter (where state = 'expired')::float8 as expired,
  count(*) filter (where settled_at is null)::float8 as active
from operation where flow = 'upload'`;

/** Reads every upload that the ledger has: seconds with tens of millions of them. */
export async function countUploads(database: Database): Promise<UploadBalance> {
  const [rows] = await database.flush(null, { name: 'count_uploads', text, values: [] });
  return rows?.[0] as UploadBalance;
}
