import type { Database } from '../database.ts';

/** Answers go first, together with the requests. The row stays as the key's tombstone. */
const answers = `
with gone as (
  select id from operation
  where settled_at is not null and answer_body is not null and answer_expires_at <= now()
  order by answer_expires_at limit $1 for no key update skip locked
), steps as (
  update step set request = null, result = null, refusal = null from gone where operation_id = gone.id
), evidence as (
  update awaited set evidence = '{}', sameness = '' from gone where operation_id = gone.id and outcome = 'arrived'
), strays as (
  delete from stray using gone where operation_id = gone.id
)
update operation o
set answer_body = null, answer_headers = null, result = null, refusal = null, request = '{}'
from gone where o.id = gone.id
returning o.id`;

const tombstones = `
delete from operation where id in (
  select id from operation where settled_at is not null and tombstone_until <= now()
  limit $1 for update skip locked)
returning id`;

/** The requests seen are kept for as long as most answers. */
const arrivals = `
delete from arrival where id in (select id from arrival where at < now() - interval '30 days' order by id limit $1)
returning id`;

/** Beacons are read beside the requests seen, and kept for as long. */
const beacons = `
delete from beacon where (tenant, environment, id) in (
  select tenant, environment, id from beacon where at < now() - interval '30 days'
  order by at limit $1 for update skip locked)
returning id`;

/** An issued key that nobody has used by then is only a name. */
const issuedKeys = `
delete from issued_key where key in (
  select key from issued_key where issued_at < now() - interval '30 days' limit $1)
returning key`;

/**
 * What `hapax/dedup` has answered for its window, and ids whose holder has died. One that only stood still may yet come
 * to keep its answer, for which it needs the row: so those stay for a day.
 */
const onceEntries = `
delete from once_entry where (tenant, space, id) in (
  select tenant, space, id from once_entry
  where until <= now() and (answer is not null or until <= now() - interval '1 day')
  order by until limit $1 for update skip locked)
returning id`;

/** Content without a key that came longer ago than its window. */
const anchors = `
delete from content_anchor where (tenant, environment, subject, flow, digest) in (
  select tenant, environment, subject, flow, digest from content_anchor where until <= now()
  order by until limit $1 for update skip locked)
returning digest`;

/**
 * Forgets one batch of what has outlived its retention, each kind by itself, so that one cannot hold up the others.
 * @param limit rows of each kind; a batch locks them, and should take milliseconds
 * @returns whether there may be more
 */
export async function forget(database: Database, limit: number): Promise<boolean> {
  const gone = [
    await database.flush(null, { name: 'forget_answers_and_evidence', text: answers, values: [limit] }),
    await database.flush(null, { name: 'forget_tombstones', text: tombstones, values: [limit] }),
    await database.flush(null, { name: 'forget_arrivals', text: arrivals, values: [limit] }),
    await database.flush(null, { name: 'forget_beacons', text: beacons, values: [limit] }),
    await database.flush(null, { name: 'forget_issued_keys', text: issuedKeys, values: [limit] }),
    await database.flush(null, { name: 'forget_once_entries', text: onceEntries, values: [limit] }),
    await database.flush(null, { name: 'forget_content_anchors', text: anchors, values: [limit] }),
  ];
  return gone.some(([rows]) => rows?.length === limit);
}
