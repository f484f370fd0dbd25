import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import {
  beginSending,
  type Delivery,
  endSending,
  keepDeliveries,
  takeDeliveries,
} from '../../activities/stores/postgres/outbox/due-deliveries.ts';
import { messageId } from '../../workflows/operation/key.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';

const operation = `op_${'0'.repeat(26)}`;
const minute = 60_000;
const migrations = fileURLToPath(new URL('../../activities/stores/postgres/migrations', import.meta.url));

const name = `outbox${randomBytes(4).toString('hex')}`;
let url: string;
let sql: pg.Pool;
let sender: Database;
beforeAll(async () => {
  const { postgresUrl, template } = inject('ground');
  url = await databaseNamed(postgresUrl, name, template);
  sql = new pg.Pool({ connectionString: url, max: 6 });
  sender = new Database(url, 'hapax_upkeep', 2);
  await sql.query(claimed, [operation]);
});
afterAll(async () => {
  await sender.close();
  await sql.end();
  await dropDatabase(inject('ground').postgresUrl, name);
});

const claimed = `insert into hapax.operation (
  id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint, fingerprint_version, request,
  request_id, state)
  values ($1, 'alpha', 'test', 'ann', 'ann', 'checkout', 1, $1, 1, 'f', 1, '{}', 'req_1', 'claimed')`;

let told = 0;
const tell = async (by: { query: pg.Pool['query'] }, channel: string, aggregate: string, payload: object = {}) => {
  told += 1;
  const values = [messageId(operation, `m${told}`), operation, channel, aggregate, JSON.stringify(payload)];
  const { rows } = await by.query<{ tell: string }>(`select hapax.tell($1, $2, $3, 'order', $4, 'a', $5)`, values);
  return Number(rows[0]?.tell);
};

/** Sessions of this database that wait for a lock. */
const waiters = async (): Promise<number> => {
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::integer as count from pg_stat_activity where wait_event_type = 'Lock' and datname = $1`,
    [name],
  );
  return rows[0]?.count ?? 0;
};

describe('what a step tells', () => {
  it('has a number in its aggregate and its channel, and says who told it and why', async () => {
    expect([await tell(sql, 'event', 'one'), await tell(sql, 'event', 'one'), await tell(sql, 'event', 'two')]).toEqual(
      [...[1, 2, 1]],
    );
    // A mail leaves no gap for who hears the events.
    expect([await tell(sql, 'mail', 'one'), await tell(sql, 'event', 'one')]).toEqual([1, 3]);
    const { rows } = await sql.query(
      `select tenant, environment, operation_id, channel, aggregate_type, type, cause from hapax.outbox where aggregate_id = 'two'`,
    );
    expect(rows).toEqual([
      {
        ...{ tenant: 'alpha', environment: 'test', operation_id: operation, channel: 'event' },
        ...{ aggregate_type: 'order', type: 'a', cause: 'req_1' },
      },
    ]);
  });

  it('is numbered in the order of commits, without a gap, however late one commits', async () => {
    const [first, second] = [await sql.connect(), await sql.connect()];
    try {
      for (const end of ['rollback', 'commit']) {
        await first.query('begin');
        const given = await tell(first, 'event', 'late');
        let later: number | undefined;
        const waiting = tell(second, 'event', 'late').then((number) => (later = number));
        // It waits for that aggregate alone.
        expect(await tell(sql, 'event', `not late: ${end}`)).toBe(1);
        await expect.poll(waiters, { timeout: 30_000 }).toBe(1);
        expect(later).toBeUndefined();
        await first.query(end);
        await waiting;
        expect(later).toBe(end === 'commit' ? given + 1 : given);
      }
    } finally {
      first.release();
      second.release();
    }
    const { rows } = await sql.query<{ sequence: string }>(
      `select sequence from hapax.outbox where aggregate_id = 'late' order by sequence`,
    );
    expect(rows.map(({ sequence }) => Number(sequence))).toEqual(rows.map((_, n) => n + 1));
  });

  it('is told once: the same message of the same operation is refused', async () => {
    const twice = `select hapax.tell($1, $2, 'event', 'order', 'twice', 'a', '{}')`;
    const values = [messageId(operation, 'twice'), operation];
    await sql.query(twice, values);
    await expect(sql.query(twice, values)).rejects.toMatchObject({ code: '23505', constraint: 'outbox_pkey' });
  });

  it('is heard from the former build too, with its number and its delivery', async () => {
    const formerly = `insert into hapax.outbox (tenant, operation_id, aggregate, sequence, type, payload)
      values ('alpha', $1, $2, 1, $3, $4)`;
    await sql.query(formerly, [operation, 'ord_f', 'receipt.requested', { order: 'ord_f', email: 'ann@example.com' }]);
    await sql.query(formerly, [operation, `${operation}/usage`, 'upload.used', { environment: 'test' }]);
    const { rows } = await sql.query(
      `select o.channel, aggregate_type, aggregate_id, sequence, cause, d.state from hapax.outbox o
       left join hapax.delivery d on d.message_id = o.id where o.type in ('receipt.requested', 'upload.used') order by 1`,
    );
    expect(rows).toEqual([
      {
        channel: 'event',
        aggregate_type: 'upload',
        aggregate_id: operation,
        sequence: '1',
        cause: 'req_1',
        state: null,
      },
      { channel: 'mail', aggregate_type: 'order', aggregate_id: 'ord_f', sequence: '1', cause: 'req_1', state: 'due' },
    ]);
  });
});

describe('a message that leaves', () => {
  const emptied = () => sql.query('delete from hapax.delivery');
  const mailed = (aggregate: string) => tell(sql, 'mail', aggregate, { email: 'ann@example.com' });
  const rows = async () => (await sql.query('select state, tries, fence, code from hapax.delivery')).rows;
  const begun = (delivery: Delivery, by = 'smtp:a') => beginSending(sender, delivery, by, minute);
  const unsent = { code: 'c', detail: 'd', doubted: false };
  const tried = { ...unsent, state: 'due', pause: 0, heldBack: false } as const;
  const expired = () => sql.query('update hapax.delivery set next_at = now()');
  const took = async (lease = minute): Promise<Delivery> => {
    const [delivery] = await takeDeliveries(sender, ['mail'], 8, lease);
    return delivery ?? expect.unreachable();
  };

  it('has a delivery if it names its recipient; events and nameless ones have none', async () => {
    await emptied();
    await tell(sql, 'event', 'x', { email: 'ann@example.com' });
    await tell(sql, 'mail', 'x', { email: null });
    await tell(sql, 'sms', 'x', { email: 'ann@example.com' });
    expect(await rows()).toEqual([]);
    await mailed('x');
    await tell(sql, 'sms', 'x', { phone: '+4915112345678' });
    expect(await rows()).toHaveLength(2);
    expect(await takeDeliveries(sender, ['sms'], 8, minute)).toMatchObject([{ message: { channel: 'sms' } }]);
  });

  it('is one sender’s at a time, and the next one’s when the lease has ended; the first writes nothing any more', async () => {
    await emptied();
    await mailed('y');
    const first = await took();
    expect(first).toMatchObject({ mayHaveLeft: undefined, tries: 1, message: { type: 'a', about: 'y', operation } });
    expect(await takeDeliveries(sender, ['mail'], 8, minute)).toEqual([]);
    expect(await keepDeliveries(sender, [first], minute)).toEqual(new Set([first.id]));
    await expired();
    const second = await took();
    expect([await begun(first), await begun(second)]).toEqual([false, true]);
    expect(await keepDeliveries(sender, [first], minute)).toEqual(new Set());
    await endSending(sender, first, { ...unsent, state: 'failed' });
    expect(await rows()).toMatchObject([{ state: 'sending', tries: 2, fence: '2' }]);
    await endSending(sender, second, { state: 'sent' });
    await expired();
    expect(await takeDeliveries(sender, ['mail'], 8, minute)).toEqual([]);
  });

  it('may have left, for the next sender, where the first has died while it handed it over, and only then', async () => {
    await emptied();
    await mailed('z');
    const first = await took();
    await expired();
    const second = await took();
    await begun(second);
    await expired();
    const third = await took();
    expect([first.mayHaveLeft, second.mayHaveLeft, third.mayHaveLeft?.by]).toEqual([undefined, undefined, 'smtp:a']);
    expect(third.mayHaveLeft?.ago).toBeGreaterThanOrEqual(0);
    await endSending(sender, third, { ...tried, heldBack: true });
    // What was held back was no try; what is known not to have left is in doubt no more.
    expect(await took()).toMatchObject({ mayHaveLeft: undefined, tries: 3 });
  });

  it('may have left by the first system that had no clear answer, until somebody knows or a person decides', async () => {
    await emptied();
    await mailed('doubt');
    const first = await took();
    await begun(first);
    await endSending(sender, first, { ...tried, doubted: true });
    const second = await took();
    expect(second.mayHaveLeft?.by).toBe('smtp:a');
    await sql.query(`update hapax.delivery set may_have_left_at = now() - interval '1 hour'`);
    await begun(second, 'smtp:b');
    await endSending(sender, second, { ...tried, doubted: true });
    const third = await took();
    expect([third.mayHaveLeft?.by, Math.round((third.mayHaveLeft?.ago ?? 0) / minute)]).toEqual(['smtp:a', 60]);
    await endSending(sender, third, { ...unsent, state: 'failed', doubted: true });
    await sql.query(`select from hapax.replay_delivery($1, 'test')`, [third.id]);
    expect(await took()).toMatchObject({ mayHaveLeft: undefined, tries: 1 });
  });

  it('stays in doubt also where a sender of the build before 0041 takes it, and gives it back', async () => {
    await emptied();
    await mailed('former');
    await begun(await took());
    await expired();
    const { rows: taken } = await sql.query<{ id: string; fence: string; in_doubt: boolean }>(
      `select id, fence, in_doubt from hapax.take_deliveries('{mail}', 8, 60000)`,
    );
    const { id, fence, in_doubt } = taken[0] ?? expect.unreachable();
    expect(in_doubt).toBe(true);
    const former = `select hapax.end_sending($1, $2, 'due', 'handler-failed', 'A newer one told it.', 0, false)`;
    await sql.query(former, [id, fence]);
    const next = await took();
    expect(next.mayHaveLeft?.by).toBe('smtp:a');
    // What the former build hands over itself may have left, too.
    await endSending(sender, next, tried);
    const again = await took();
    await sql.query('select hapax.begin_sending($1, $2, 60000)', [again.id, again.fence]);
    await expired();
    expect((await took()).mayHaveLeft?.by).toBe('a former build');
  });

  it('is sent when the first sender says so, whoever has it by then; that one hands nothing over', async () => {
    await emptied();
    await mailed('yes');
    const first = await took();
    await begun(first);
    await expired();
    const second = await took();
    await endSending(sender, first, { state: 'sent' });
    expect(await rows()).toMatchObject([{ state: 'sent' }]);
    expect(await begun(second)).toBe(false);
    await endSending(sender, second, { ...unsent, state: 'failed', doubted: true });
    expect(await rows()).toMatchObject([{ state: 'sent', code: null }]);
  });

  it('is sent when the first sender says so, also where the next one has given it up as one in doubt', async () => {
    await emptied();
    await mailed('yes, late');
    const first = await took();
    await begun(first);
    await expired();
    await endSending(sender, await took(), { ...unsent, state: 'failed', doubted: true });
    await endSending(sender, first, { state: 'sent' });
    expect(await rows()).toMatchObject([{ state: 'sent', code: null }]);
  });

  it('of two senders is taken by one', async () => {
    await emptied();
    for (let n = 0; n < 12; n += 1) await mailed(`many ${n}`);
    const both = await Promise.all([
      takeDeliveries(sender, ['mail'], 8, minute),
      takeDeliveries(sender, ['mail'], 8, minute),
    ]);
    const ids = both.flat().map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toHaveLength(12);
  });
});

describe('an outbox that others have written before', () => {
  it('is numbered by an owner that row security holds back, and sends none of it', async (context) => {
    const owner = `owner_${name}`;
    await sql.query(`create role ${owner} login password 'secret'`);
    await sql.query(`grant hapax_app, hapax_upkeep to ${owner} with admin option`);
    const asSuperuser = await databaseNamed(url, owner);
    context.onTestFinished(async () => {
      await dropDatabase(url, owner);
      await sql.query(`drop role ${owner}`);
    });
    await sql.query(`alter database ${owner} owner to ${owner}`);
    const address = new URL(asSuperuser);
    [address.username, address.password] = [owner, 'secret'];
    const client = new pg.Client({ connectionString: address.href, options: '-c row_security=off' });
    const before = new pg.Client({ connectionString: asSuperuser });
    await Promise.all([client.connect(), before.connect()]);
    const migrated = async (from: string, to: string) => {
      for (const file of (await readdir(migrations)).toSorted().filter((one) => one >= from && one < to)) {
        await client.query('begin');
        await client.query(await readFile(`${migrations}/${file}`, 'utf8'));
        await client.query('commit');
      }
    };
    await migrated('0001', '0039');
    await before.query(claimed, [operation]);
    for (const [of, aggregate, type] of [
      [operation, 'ord_1', 'receipt.requested'],
      [operation, 'ast_1', 'asset.ready'],
      [operation, `${operation}/usage`, 'upload.used'],
      // Its operation is forgotten.
      [`op_${'1'.repeat(26)}`, 'ord_2', 'receipt.requested'],
    ])
      await before.query(
        `insert into hapax.outbox (tenant, operation_id, aggregate, sequence, type, payload)
         values ('alpha', $1, $2, 1, $3, '{"email": "ann@example.com"}')`,
        [of, aggregate, type],
      );
    await migrated('0039', '0041');
    const { rows } = await before.query(
      `select channel, environment, aggregate_type, aggregate_id, sequence::integer, cause from hapax.outbox order by aggregate_id`,
    );
    expect(rows).toEqual(
      [
        ...[['event', 'test', 'asset', 'ast_1', 1, 'req_1']],
        ...[['event', 'test', 'upload', operation, 1, 'req_1']],
        ...[['mail', 'test', 'order', 'ord_1', 1, 'req_1']],
        ...[['mail', 'live', 'order', 'ord_2', 1, null]],
      ].map(([channel, environment, aggregate_type, aggregate_id, sequence, cause]) => ({
        ...{ channel, environment, aggregate_type, aggregate_id, sequence, cause },
      })),
    );
    expect((await before.query('select from hapax.delivery')).rowCount).toBe(0);
    expect((await before.query('select from hapax.aggregate where told = 1')).rowCount).toBe(4);
    // What a sender had in its hands before 0041 may have left.
    await before.query(`select hapax.tell($1, $2, 'mail', 'order', 'ord_3', 'a', '{"email": "ann@example.com"}')`, [
      ...[messageId(operation, 'in hand'), operation],
    ]);
    await before.query(`update hapax.delivery set state = 'sending'`);
    await migrated('0041', '0042');
    expect((await before.query('select may_have_left_by as by from hapax.delivery')).rows).toEqual([
      { by: 'a former build' },
    ]);
    await Promise.all([client.end(), before.end()]);
  });
});
