import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import {
  recordPublished,
  refuseEvent,
  type Shard,
  takeEvents,
} from '../../activities/stores/postgres/outbox/due-events.ts';
import { dueShards, keepShards, leaveShards } from '../../activities/stores/postgres/outbox/shard-leases.ts';
import { messageId } from '../../workflows/operation/key.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';

const operation = `op_${'0'.repeat(26)}`;
const minute = 60_000;
const why = { code: 'message-refused', detail: 'It is too long.' };

const name = `shards${randomBytes(4).toString('hex')}`;
let sql: pg.Pool;
let relay: Database;
beforeAll(async () => {
  const { postgresUrl, template } = inject('ground');
  const url = await databaseNamed(postgresUrl, name, template);
  sql = new pg.Pool({ connectionString: url, max: 2 });
  relay = new Database(url, 'hapax_upkeep', 2);
  await sql.query(
    `insert into hapax.operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint,
       fingerprint_version, request, request_id, state)
     values ($1, 'alpha', 'test', 'ann', 'ann', 'checkout', 1, $1, 1, 'f', 1, '{}', 'req_1', 'claimed')`,
    [operation],
  );
});
beforeEach(async () => {
  await sql.query('delete from hapax.publication');
  await sql.query('delete from hapax.relay');
  await sql.query('update hapax.relay_shard set holder = null');
});
afterAll(async () => {
  await relay.close();
  await sql.end();
  await dropDatabase(inject('ground').postgresUrl, name);
});

let told = 0;
async function tell(aggregate: string): Promise<string> {
  told += 1;
  const id = messageId(operation, `m${told}`);
  await sql.query(`select hapax.tell($1, $2, 'event', 'order', $3, 'a', '{}')`, [id, operation, aggregate]);
  return id;
}
const expired = async (who: string) => {
  await sql.query('update hapax.relay_shard set until = now() where holder = $1', [who]);
  await sql.query(`update hapax.relay set until = now() - interval '1 hour' where id = $1`, [who]);
};
/** The shard with something to publish, as this relay holds it. */
async function heldBy(who: string): Promise<Shard> {
  const { shards } = await keepShards(relay, who, minute);
  const [due] = await dueShards(
    relay,
    shards.map(({ number }) => number),
  );
  return shards.find(({ number }) => number === due) ?? expect.unreachable();
}

it('a relay whose shard was taken gets nothing of it, and records nothing', async () => {
  const id = await tell('taken');
  const first = await heldBy('one');
  expect(await takeEvents(relay, first, 10)).toMatchObject([{ id, triedFor: undefined }]);
  await expired('one');
  const second = await heldBy('two');
  expect([second.number, second.fence]).toEqual([first.number, first.fence + 1n]);
  expect(await takeEvents(relay, first, 10)).toEqual([]);
  expect(await recordPublished(relay, first, [id])).toBeUndefined();
  expect(await refuseEvent(relay, first, id, why)).toBe(false);
  const { rows } = await sql.query('select state, position from hapax.publication');
  expect(rows).toEqual([{ state: 'due', position: null }]);
  // What the first one may have published is known as tried.
  const [again] = await takeEvents(relay, second, 10);
  expect(again?.triedFor).toBeGreaterThanOrEqual(0);
  expect(await recordPublished(relay, second, [id])).toBe(1);
});

it('relays get equal shares, a lease that ended is renewed where nobody has taken it, and what is left is free at once', async () => {
  const shards = async (who: string) => (await keepShards(relay, who, minute)).shards;
  expect(await shards('one')).toHaveLength(16);
  expect(await shards('two')).toEqual([]);
  const { shards: all, share } = await keepShards(relay, 'one', minute);
  expect(share).toBe(8);
  const surplus = all.slice(share).map(({ number }) => number);
  await leaveShards(relay, 'one', surplus, false);
  expect((await shards('two')).map(({ number }) => number)).toEqual(surplus);
  await sql.query('update hapax.relay_shard set until = now()');
  expect(await shards('one')).toEqual(all.slice(0, 8));
  await leaveShards(relay, 'two', surplus, true);
  expect(await shards('one')).toHaveLength(16);
});

it('events behind a refused one of their aggregate are not given out, and are when it is replayed', async () => {
  const [poison, behind] = [await tell('poison'), await tell('poison')];
  const shard = await heldBy('one');
  expect(await refuseEvent(relay, shard, poison as string, why)).toBe(true);
  expect(await takeEvents(relay, shard, 10)).toEqual([]);
  expect(await dueShards(relay, [shard.number])).toEqual([]);
  await sql.query(`select hapax.replay_publication('dl_' || substr($1, 5), 'test')`, [poison]);
  expect((await takeEvents(relay, shard, 10)).map(({ id }) => id)).toEqual([poison, behind]);
});
