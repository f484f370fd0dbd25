import type { Database, Statement } from '../database.ts';
import type { Proof } from './proof.ts';

/** An object store is identified by its address and bucket. */
export type Bucket = { readonly endpoint: string; readonly bucket: string };

export type BucketRow = {
  readonly state: 'untried' | 'holds' | 'failed';
  readonly says: string;
  readonly failed_complete: string | null;
};

/**
 * How long a process may take to try a store before another process takes over. It makes some twenty short calls, each
 * with a limit of about ten seconds. A store that answers takes well under a second.
 */
const lease = '3 minutes';

const take = `
insert into bucket_proof (endpoint, bucket, next_try_at) values ($1, $2, now() + interval '${lease}')
on conflict (endpoint, bucket) do update set next_try_at = excluded.next_try_at where bucket_proof.next_try_at <= now()
returning bucket`;

/** @returns whether this process is to try the store now: it is due, and no other process is trying it */
export async function takeBucketProof(database: Database, { endpoint, bucket }: Bucket): Promise<boolean> {
  return (await database.alone({ name: 'take_bucket_proof', text: take, values: [endpoint, bucket] })).length > 0;
}

const keep = `
update bucket_proof
set state = $3, says = $4, failed_complete = $5, proved_at = now(), next_try_at = now() + $6 * interval '1 millisecond'
where endpoint = $1 and bucket = $2`;

/** @param again milliseconds until the store is tried again */
export async function keepBucketProof(
  database: Database,
  { endpoint, bucket }: Bucket,
  row: BucketRow,
  again: number,
): Promise<void> {
  const values = [endpoint, bucket, row.state, row.says, row.failed_complete, again];
  await database.alone({ name: 'keep_bucket_proof', text: keep, values });
}

const putOff = `
update bucket_proof
set says = case when state = 'untried' then $3 else says end, next_try_at = now() + $4 * interval '1 millisecond'
where endpoint = $1 and bucket = $2`;

/** The store could not be tried: what was proved before stays. */
export async function putOffBucketProof(
  database: Database,
  { endpoint, bucket }: Bucket,
  why: string,
  again: number,
): Promise<void> {
  await database.alone({ name: 'put_off_bucket_proof', text: putOff, values: [endpoint, bucket, why, again] });
}

const read = 'select state, says, failed_complete from bucket_proof where endpoint = $1 and bucket = $2';

export async function readBucketProof(
  database: Database,
  { endpoint, bucket }: Bucket,
): Promise<BucketRow | undefined> {
  const statement: Statement = { name: 'read_bucket_proof', text: read, values: [endpoint, bucket] };
  return (await database.alone(statement))[0] as BucketRow | undefined;
}

/** The proof as readiness shows it. It is never `failed`, since checkouts need no object store. */
export async function bucketProof(database: Database, store: Bucket): Promise<Proof> {
  const row = await readBucketProof(database, store).catch(() => undefined);
  const where = `the bucket ${store.bucket} at ${store.endpoint}`;
  switch (row?.state) {
    case 'holds':
      return { name: 'object-store', state: 'holds', says: `${row.says} (${where})` };
    case 'failed':
      return { name: 'object-store', state: 'degraded', says: `uploads are refused: ${row.says} (${where})` };
    case 'untried':
    case undefined: {
      const why = row === undefined || row.says === '' ? 'upkeep has not tried it' : row.says;
      return { name: 'object-store', state: 'degraded', says: `${where} is not proved yet: ${why}.` };
    }
  }
}
