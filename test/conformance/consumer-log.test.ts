import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { consumeBatch } from '../../activities/consume/consume-batch.ts';
import { LogSource } from '../../activities/consume/log-source.ts';
import { usage } from '../../activities/consumers/usage.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { messageId } from '../../workflows/operation/key.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';

const name = `log${randomBytes(4).toString('hex')}`;
const operation = `op_${'0'.repeat(26)}`;
const running = new AbortController().signal;

let sql: pg.Pool;
let database: Database;
let upkeep: Database;
beforeAll(async () => {
  const { postgresUrl, template } = inject('ground');
  const url = await databaseNamed(postgresUrl, name, template);
  sql = new pg.Pool({ connectionString: url, max: 4 });
  database = new Database(url, 'hapax_app', 4);
  upkeep = new Database(url, 'hapax_upkeep', 4);
  await sql.query(
    `insert into hapax.operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint,
       fingerprint_version, request, request_id, state)
     values ($1, 'alpha', 'test', 'ann', 'ann', 'upload', 1, $1, 1, 'f', 1, '{}', 'req_1', 'claimed')`,
    [operation],
  );
});
afterAll(async () => {
  await Promise.all([database.close(), upkeep.close(), sql.end()]);
  await dropDatabase(inject('ground').postgresUrl, name);
});

/** Tells what uploads have used, and something that nobody listens to, and publishes all of it without a broker. */
async function published(from: number, to: number): Promise<void> {
  const tell = (id: string, type: string, about: string, payload: object) =>
    sql.query(`select hapax.tell($1, $2, 'event', $3, $4, $5, $6)`, [
      ...[messageId(operation, id), operation, type.split('.')[0], about, type, JSON.stringify(payload)],
    ]);
  for (let n = from; n < to; n += 1) {
    await tell(`used ${n}`, 'upload.used', `op_${n}`, { subject: 'ann', bytes: n, stored: 0 });
    await tell(`ready ${n}`, 'asset.ready', `asset_${n}`, {});
  }
  await sql.query(`select hapax.keep_shards('test', 60000)`);
  await sql.query(`select hapax.publish_here(s.shard, s.fence, 1000) from hapax.relay_shard s`);
}
const source = () => new LogSource({ database: upkeep, consumer: usage.name, subjects: usage.from.subjects });
const uploads = async () =>
  (await sql.query<{ uploads: string; bytes: string }>('select uploads, bytes from hapax.upload_usage')).rows.map(
    (row) => [Number(row.uploads), Number(row.bytes)],
  );

/** The shards in which something is new for the consumer. */
const unread = async () =>
  (
    await sql.query<{ shard: number }>(
      `select s.shard from hapax.consumer_shard s join hapax.relay_shard r on r.shard = s.shard
       where s.consumer = $1 and r.position > s.position`,
      [usage.name],
    )
  ).rows.map(({ shard }) => shard);

/**
 * Consumes until the log has nothing new, or a process that is to die has all that is new.
 * @param dies whether it dies before it acknowledges
 */
async function consumeAll(log: LogSource, dies = false): Promise<string[]> {
  const became: string[] = [];
  const held = new Set<number>();
  do {
    const batch = await log.take(7, running);
    became.push(...(await consumeBatch(database, usage, batch)).map((one) => one.became));
    for (const delivery of batch)
      if (dies) held.add(Number(delivery.place.split(':')[1]));
      else delivery.ack();
  } while ((await unread()).some((shard) => !held.has(shard)));
  return became;
}

it('without a broker the events that the relay has put into its log are consumed, each once, also what a dead process has left', async () => {
  await published(1, 21);
  const log = source();
  // It commits, and is gone before it says so: its shards are free when their leases end.
  const dead = await consumeAll(log, true);
  expect(dead.length).toBeGreaterThan(0);
  expect(await source().take(7, running)).toEqual([]);
  await sql.query(`update hapax.consumer_shard set until = now()`);
  const rest = await consumeAll(source());
  expect(rest.filter((one) => one === 'repeated')).toHaveLength(dead.length);
  expect(await uploads()).toEqual([[20, 210]]);
  await published(21, 31);
  expect(await consumeAll(log)).toEqual(Array(10).fill('done'));
  expect(await uploads()).toEqual([[30, 465]]);
  expect(await log.lag()).toBe(0);
});

it('a batch that comes back is read again, and one process at a time reads a shard', async () => {
  await published(31, 32);
  const [first, second] = [source(), source()];
  let batch = await first.take(10, running);
  while (batch.length === 0) batch = await first.take(10, running);
  expect(await second.take(10, running)).toEqual([]);
  for (const delivery of batch) delivery.back(0);
  expect(await consumeAll(second)).toEqual(['done']);
  expect(await uploads()).toEqual([[31, 496]]);
});
