import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { consumeBatch } from '../../activities/consume/consume-batch.ts';
import type { Consumer } from '../../activities/consume/define-consumer.ts';
import { retryHeld } from '../../activities/consume/retry-held.ts';
import { takeDueMessages } from '../../activities/stores/postgres/consumer/held-messages.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { eraseBatch, finishErasure } from '../../activities/stores/postgres/erasure/erase-batch.ts';
import { messageId, operationId, ownedId } from '../../workflows/operation/key.ts';
import { bookTables, ownConsumers } from '../support/consumers/own-consumers.ts';
import { handed, type Message, thingHappened } from '../support/consumers/thing-happened.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';

/** What erasure reaches besides operations and orders. Each test has a subject of its own. */

const name = `erased${randomBytes(4).toString('hex')}`;
const personal = 'ann@example.com';
const { any, ordered } = ownConsumers();

let sql: pg.Pool;
let app: Database;
let upkeep: Database;
beforeAll(async () => {
  const { postgresUrl, template } = inject('ground');
  const url = await databaseNamed(postgresUrl, name, template);
  sql = new pg.Pool({ connectionString: url, max: 4 });
  await sql.query(bookTables);
  app = new Database(url, 'hapax_app', 4);
  upkeep = new Database(url, 'hapax_upkeep', 2);
});
afterAll(async () => {
  await Promise.all([app.close(), upkeep.close(), sql.end()]);
  await dropDatabase(inject('ground').postgresUrl, name);
});

let made = 0;
/** One that ended an hour ago. */
async function settled(subject: string, flow = 'upload'): Promise<string> {
  const key = `k${(made += 1)}`;
  const scope = { tenant: 'alpha', environment: 'test', subject, flow, key } as const;
  const id = operationId(scope, 1);
  const client = await sql.connect();
  try {
    await client.query('begin');
    await client.query('set local session_replication_role = replica');
    await client.query(
      `insert into hapax.operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint,
         fingerprint_version, request, request_id, state, created_at, settled_at, answer_expires_at, tombstone_until)
       values ($1, 'alpha', 'test', $2, $2, $3, 1, $4, 1, 'f', 1, '{}', 'req_1', 'succeeded', now() - interval '1 hour', now(),
         now() + interval '1 hour', now() + interval '1 hour')`,
      [id, subject, flow, key],
    );
    await client.query('commit');
  } finally {
    client.release();
  }
  return id;
}

/** Asked for half a minute ago: no claim from before can be under way any more. */
async function erasureOf(subject: string): Promise<{ id: string; tenant: string }> {
  const id = operationId({ tenant: 'alpha', environment: 'test', subject: 'staff', flow: 'erasure', key: subject }, 1);
  await sql.query(
    `insert into hapax.erasure (operation_id, tenant, environment, subject, requested_at)
     values ($1, 'alpha', 'test', $2, now() - interval '30 seconds')`,
    [id, subject],
  );
  return { id, tenant: 'alpha' };
}

describe('what a consumer keeps of a message', () => {
  async function told(operation: string, to: Consumer, aggregate: string, poison?: string): Promise<Message> {
    const id = messageId(operation, `m${(made += 1)}`);
    const values = [id, operation, to.name, aggregate, JSON.stringify({ who: personal })];
    await sql.query(`select hapax.tell($1, $2, 'event', $3, $4, 'thing.happened', $5)`, values);
    const { rows } = await sql.query('select sequence from hapax.outbox where id = $1', [id]);
    const { body, ...message } = thingHappened(to.name, {
      ...{ id, aggregate, sequence: rows[0].sequence },
      ...(poison === undefined ? {} : { poison }),
    });
    return { ...message, body: body.replace('"n":1', `"n":1,"who":"${personal}"`) };
  }
  const consume = async (consumer: Consumer, ...messages: readonly Message[]) =>
    (await consumeBatch(app, consumer, messages.map(handed), () => 0)).map(({ became }) => became);
  async function retry(consumer: Consumer): Promise<string[]> {
    await sql.query(`update hapax.consumed set next_at = now() where state = 'due'`);
    const due = await takeDueMessages(upkeep, [consumer.name], 10, 60_000);
    const became: string[] = [];
    for (const held of due) became.push((await retryHeld(app, consumer, held, 0)).became);
    return became;
  }
  const kept = async () =>
    (await sql.query(`select message from hapax.consumed where convert_from(body, 'utf8') like $1`, [`%${personal}%`]))
      .rowCount;
  const booked = async (consumer: Consumer) =>
    (await sql.query('select message from tally.book where consumer = $1 order by at', [consumer.name])).rows.map(
      ({ message }) => message,
    );

  it('goes with the data of its subject, has no effect any more, and keeps its place in the order', async () => {
    const operation = await settled('ann');
    const due = await told(operation, any, 'a', 'throws');
    const dead = await told(operation, any, 'a', 'refuses');
    const unusable = await told(operation, any, 'a');
    const late = await told(operation, any, 'a', 'throws');
    const [first, second, third] = [
      await told(operation, ordered, 'b'),
      await told(operation, ordered, 'b'),
      await told(operation, ordered, 'b'),
    ] as const;
    const another = await told(await settled('bob'), any, 'c', 'throws');
    await consume(any, due, dead, { ...unusable, body: unusable.body.replace('"n":1', '"n":"one"') }, another);
    expect(await consume(ordered, second)).toEqual(['waiting']);
    expect(await kept()).toBe(5);

    expect(await eraseBatch(app, await erasureOf('ann'))).toBe(1);
    expect(await kept()).toBe(1);
    expect((await sql.query(`select from hapax.consumed where state = 'dead'`)).rowCount).toBe(0);
    // What the stream brings for the first time now is not kept with its data either.
    expect(await consume(any, late)).toEqual(['failed']);
    expect(await kept()).toBe(1);
    await sql.query('insert into tally.mended select message from hapax.consumed');
    expect((await retry(any)).toSorted()).toEqual(Array(5).fill('done'));
    expect(await booked(any)).toEqual([another.id]);
    expect(await consume(ordered, first, third)).toEqual(['done', 'waiting']);
    expect([...(await retry(ordered)), ...(await retry(ordered))]).toEqual(['done', 'done']);
    expect(await booked(ordered)).toEqual([first.id]);
    expect(await kept()).toBe(0);
  });
});

it('an event that the broker has refused for what it said is published once that is erased', async () => {
  const operation = await settled('iris');
  const id = messageId(operation, 'refused');
  const values = [id, operation, JSON.stringify({ who: personal })];
  await sql.query(`select hapax.tell($1, $2, 'event', 'thing', 'z', 'thing.happened', $3)`, values);
  await sql.query(
    `update hapax.publication set state = 'failed', code = 'message-refused', detail = 'Too long.' where message_id = $1`,
    [id],
  );
  expect(await eraseBatch(app, await erasureOf('iris'))).toBe(1);
  const { rows } = await sql.query('select state, code, detail from hapax.publication where message_id = $1', [id]);
  expect(rows).toEqual([{ state: 'due', code: null, detail: null }]);
});

describe('an account whose sign-up is forgotten', () => {
  async function account(subject: string, operation: string): Promise<string> {
    const id = ownedId('acc', operation);
    await sql.query(
      `insert into hapax.account (id, tenant, environment, operation_id, subject, state, email, password, created_at, verified_at)
       values ($1, 'alpha', 'test', $2, $3, 'active', $4, 'p', now() - interval '1 hour', now())`,
      [id, operation, subject, personal],
    );
    await sql.query(
      `insert into hapax.account_address (tenant, environment, address, account_id) values ('alpha', 'test', $1, $1)`,
      [id],
    );
    return id;
  }
  async function mail(operation: string, about: string): Promise<string> {
    const id = messageId(operation, `mail ${(made += 1)}`);
    const values = [id, operation, about, JSON.stringify({ email: personal })];
    await sql.query(`select hapax.tell($1, $2, 'mail', 'account', $3, 'signup.taken', $4)`, values);
    return id;
  }
  const says = async (id: string) =>
    (
      await sql.query(
        'select payload, (select state from hapax.delivery d where d.message_id = o.id) from hapax.outbox o where id = $1',
        [id],
      )
    ).rows[0];
  const forgotten = (operation: string) =>
    upkeep.flush(null, { name: 'forget', text: 'delete from operation where id = $1', values: [operation] });
  const left = async (subject: string) =>
    (await sql.query(`select from hapax.account where subject = $1 and state <> 'erased'`, [subject])).rowCount;
  const finished = async (id: string) =>
    (await sql.query('select finished_at is not null as finished from hapax.erasure where operation_id = $1', [id]))
      .rows[0].finished;

  it('is erased with its subject, in batches, with the mails about it', async () => {
    const accounts: string[] = [];
    for (let n = 0; n < 5; n += 1) {
      const operation = await settled('carl', 'signup');
      accounts.push(await account('carl', operation));
      await forgotten(operation);
    }
    const notice = await mail(await settled('dora', 'signup'), accounts[0] as string);
    const erasure = await erasureOf('carl');
    expect(await left('carl')).toBe(5);
    const batch = async () => {
      const text = 'select erase_batch($1, 2) as n';
      return (await app.flush('alpha', { name: 'a_batch', text, values: [erasure.id] }))[0]?.[0]?.n;
    };
    const erased = [await batch(), await left('carl'), await batch(), await left('carl')];
    await finishErasure(app, erasure);
    expect([...erased, await finished(erasure.id)]).toEqual([2, 3, 2, 1, false]);
    expect([await batch(), await left('carl'), await batch()]).toEqual([1, 0, 0]);
    expect((await sql.query('select from hapax.account_address where account_id = any($1)', [accounts])).rowCount).toBe(
      0,
    );
    expect(await says(notice)).toEqual({ payload: { erased: true }, state: 'erased' });
    await finishErasure(app, erasure);
    expect(await finished(erasure.id)).toBe(true);
  });

  it('takes the mail of another sign-up with it that was told for its address at the same moment', async () => {
    const operation = await settled('gina', 'signup');
    const id = await account('gina', operation);
    const other = await settled('hugo', 'signup');
    const message = messageId(other, 'same moment');
    const signup = await sql.connect();
    try {
      await signup.query('begin');
      await signup.query('select from hapax.account_address where account_id = $1 for update', [id]);
      const values = [message, other, id, JSON.stringify({ email: personal })];
      await signup.query(`select hapax.tell($1, $2, 'mail', 'account', $3, 'signup.taken', $4)`, values);
      const erasing = eraseBatch(app, await erasureOf('gina'));
      await expect
        .poll(
          async () =>
            (await sql.query(`select from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`, [name]))
              .rowCount,
          { timeout: 30_000 },
        )
        .toBe(1);
      await signup.query('commit');
      expect(await erasing).toBe(1);
    } finally {
      signup.release();
    }
    expect(await says(message)).toEqual({ payload: { erased: true }, state: 'erased' });
  });

  it('is erased also where its sign-up is forgotten after the erasure was asked for', async () => {
    const operation = await settled('emma', 'signup');
    await account('emma', operation);
    const erasure = await erasureOf('emma');
    await forgotten(operation);
    await finishErasure(app, erasure);
    expect([await left('emma'), await finished(erasure.id)]).toEqual([1, false]);
    expect(await eraseBatch(app, erasure)).toBe(1);
    await finishErasure(app, erasure);
    expect([await left('emma'), await finished(erasure.id)]).toEqual([0, true]);
  });

  it('leaves no mail behind that says its address, once nothing leads from its subject to it', async () => {
    const operation = await settled('fred', 'signup');
    const message = await mail(operation, ownedId('acc', operation));
    expect(await says(message)).toEqual({ payload: { email: personal }, state: 'due' });
    await forgotten(operation);
    expect(await says(message)).toEqual({ payload: { erased: true }, state: 'erased' });
  });
});
