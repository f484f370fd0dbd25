import { setTimeout as pause } from 'node:timers/promises';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { readConfig } from '../../workers/config.ts';
import { connectS3, s3Settings } from '../../workers/connect-s3.ts';
import { DueSweeps } from '../../workers/due-sweeps.ts';
import { registrations } from '../../workers/registrations.ts';
import { columnsWith } from '../support/every-column.ts';
import { FaultyLine } from '../support/faulty-line.ts';
import { type Answered, World } from '../support/world.ts';
import { effectsOf, paidOnce } from './effects.ts';

/** Within which every process forgets what was erased. Milliseconds. */
const soon = 1_000;

let world: World;
let line: FaultyLine;
let cut: number;
beforeAll(async () => {
  // Each minute upkeep would erase beside the tests: they do it themselves, and see what was erased by it.
  world = await World.create(inject('ground'), { doors: 2, upkeep: false });
  line = await FaultyLine.to(world.databaseUrl);
  cut = world.doors.push(await world.start('workers/http.ts', { DATABASE_URL: line.url })) - 1;
});
afterAll(async () => {
  await line.close();
  await world.close();
});

const agent = 'canary agent';
const ask = (key: string, changes: object = {}, door = 0, token = 'local-alpha') =>
  world.checkout(
    key,
    {},
    {
      door,
      token,
      headers: { 'user-agent': agent },
      body: world.cart(key, { email: `${key.replaceAll(/\W/g, '.')}@example.com`, ...changes }),
    },
  );
const erase = (key: string, token = 'operator-alpha', subject = 'default') =>
  world.ask('POST', `/v1/subjects/${subject}/erase`, { key, token });
const gone = ({ status, json }: Answered) => expect([status, json.code]).toEqual([410, 'erased']);

/** What upkeep does each minute. */
async function keepUp(): Promise<void> {
  const database = new Database(world.databaseUrl, 'hapax_upkeep', 1);
  const tenants = new Database(world.databaseUrl, 'hapax_app', 1);
  const objects = connectS3(readConfig(s3Settings, world.env));
  await world.sql('update hapax.erasure set due_at = now()');
  await new DueSweeps(database, tenants, objects, await registrations(), pino({ level: 'silent' })).run(() => false);
  await Promise.all([database.close(), tenants.close()]);
  objects.close();
}

describe('an erasure', () => {
  it('leaves how operations ended and nothing of what was sent and answered, within a second in every process', async () => {
    const back = 'https://shop.example/back/of-canary';
    const keys = ['one', 'two', 'three'];
    const paid = [];
    for (const key of keys) paid.push(await ask(key, { returnUrl: back }));
    const declined = await ask('declined', { paymentMethod: 'pm_card_chargeDeclined' });
    const beta = await ask('one', {}, 0, 'local-beta');
    const live = await world.checkout('one', {}, { token: 'live-alpha' });
    // Each process has a copy in memory.
    for (const door of [0, 1])
      for (const key of keys) expect((await ask(key, { returnUrl: back }, door)).status).toBe(201);
    await world.until('the requests are recorded', async () => (await columnsWith(world, agent)).length > 0);
    const found = async () => [...(await columnsWith(world, back)), ...(await columnsWith(world, 'sealed:1:'))];
    expect(await found()).toEqual(
      expect.arrayContaining([
        'hapax.operation.request',
        'hapax.step.request',
        'hapax.customer_order.email',
        'hapax.outbox.payload',
      ]),
    );

    const erased = await erase('erase all');
    expect([erased.status, erased.json]).toMatchObject([
      201,
      { state: 'succeeded', subject: 'default', erased: 4, open: 0 },
    ]);
    const end = performance.now() + soon;
    const meanwhile = new Set<number>();
    while (performance.now() < end)
      for (const door of [0, 1]) meanwhile.add((await ask('one', { returnUrl: back }, door)).status);
    expect(meanwhile.difference(new Set([201, 410]))).toEqual(new Set());
    for (const door of [0, 1]) {
      for (const key of keys) gone(await ask(key, { returnUrl: back }, door));
      // Nothing is left to compare with, and no request runs under the key.
      gone(await ask('two', { cartId: 'another' }, door));
      gone(await ask('declined', {}, door));
    }

    const betas = await world.sql<{ n: number }>(
      `select count(*)::int as n from hapax.operation where tenant = $1 and request <> '{}' and erased_at is null`,
      world.tenants.beta,
    );
    expect(betas).toEqual([{ n: 1 }]);
    const left = await world.sql(
      `select o.state, o.request, o.answer_body, o.refusal, o.fingerprint, o.erased_at is not null as erased, c.state as "order",
         c.email, c.promo_buyer, (select jsonb_agg(payload) from hapax.outbox b where b.operation_id = o.id) as outbox,
         (select jsonb_agg(d.state) from hapax.outbox b join hapax.delivery d on d.message_id = b.id
          where b.operation_id = o.id) as deliveries,
         (select count(*)::int from hapax.step s
          where s.operation_id = o.id and num_nonnulls(s.request, s.result, s.refusal) > 0) as steps,
         (select count(*)::int from hapax.arrival a where a.operation_id = o.id) as arrivals
       from hapax.operation o join hapax.customer_order c on c.operation_id = o.id
       where o.tenant = $1 and o.environment = 'test' order by o.created_at`,
      world.tenants.alpha,
    );
    const nothing = {
      request: {},
      answer_body: null,
      refusal: null,
      fingerprint: '',
      erased: true,
      email: null,
      promo_buyer: null,
    };
    const receipt = [{ erased: true }];
    expect(left).toMatchObject([
      ...keys.map(() => ({
        ...nothing,
        state: 'succeeded',
        order: 'paid',
        outbox: receipt,
        deliveries: ['erased'],
        steps: 0,
      })),
      { ...nothing, state: 'refused', order: 'released', outbox: null, deliveries: null, steps: 0 },
    ]);
    const looked = await world.ask('GET', `/v1/operations/${paid[0]?.json.id}`);
    expect([looked.status, looked.json.state, looked.json.result]).toEqual([200, 'succeeded', undefined]);
    for (const key of ['two', 'three']) expect(await effectsOf(world, key)).toEqual(paidOnce);
    expect(declined.status).toBe(402);

    // Another tenant and another environment have a subject of the same name.
    expect((await ask('one', {}, 0, 'local-beta')).text).toBe(beta.text);
    expect((await world.checkout('one', {}, { token: 'live-alpha' })).text).toBe(live.text);
    // Its own key gets its own answer, and asking once more finds what was erased before.
    expect((await erase('erase all')).text).toBe(erased.text);
    expect((await erase('erase again')).json).toMatchObject({ erased: 4, open: 0 });
  });

  it('erases what was open as soon as it has ended, whoever asked how often', async () => {
    const open = await ask('open', { paymentMethod: 'pm_card_threeDSecure2Required' });
    expect(open.status).toBe(202);
    const both = await Promise.all([erase('open first'), erase('open second')]);
    for (const { status, json } of both) expect([status, json.open]).toEqual([201, 1]);
    await keepUp();
    // It goes on, and its caller learns how it ends.
    expect((await ask('open', { paymentMethod: 'pm_card_threeDSecure2Required' })).status).toBe(202);
    const confirm = { method: 'POST', body: new URLSearchParams({ outcome: 'complete' }), redirect: 'manual' } as const;
    await fetch(open.json.nextAction.url, confirm);
    await world.until('it is paid', async () => (await world.state(open.json.id)) === 'succeeded');
    expect((await ask('open', { paymentMethod: 'pm_card_threeDSecure2Required' })).status).toBe(201);
    await keepUp();
    gone(await ask('open', { paymentMethod: 'pm_card_threeDSecure2Required' }));
    const [order] = await world.sql(
      'select state, email from hapax.customer_order where operation_id = $1',
      open.json.id,
    );
    expect(order).toEqual({ state: 'paid', email: null });
    await world.sql(`update hapax.erasure set requested_at = requested_at - interval '1 minute'`);
    await keepUp();
    expect(await world.sql('select 1 from hapax.erasure where finished_at is null')).toEqual([]);
    expect(await effectsOf(world, 'open')).toMatchObject({ operations: 1, orders: ['paid'], receipts: 1 });
  });

  it('waits for an order that is being cancelled, also for one that the former build has made', async () => {
    const ids: string[] = [];
    for (const key of ['cancelling', 'cancelling before']) ids.push((await ask(key)).json.id);
    const change = (table: string, changes: string, column: string) =>
      world.sql(`update hapax.${table} set ${changes} where ${column} = any($1)`, ids);
    await change('customer_order', `state = 'cancelling', cancelled_by = 'op_cancels_' || id`, 'operation_id');
    await world.sql('update hapax.customer_order set subject = null where operation_id = $1', ids[1]);
    // What was asked for a moment ago may still be behind a claim that nobody sees: as if all of it were older.
    const older = (column: string, by: string) => `${column} = ${column} - interval '${by}'`;
    await change('operation', older('created_at', '1 minute'), 'id');
    await change('customer_order', older('created_at', '1 minute'), 'operation_id');
    const { id } = (await erase('of what is being cancelled')).json;
    await world.sql(`update hapax.erasure set ${older('requested_at', '30 seconds')} where operation_id = $1`, id);
    const left = async () => {
      await keepUp();
      const [row] = await world.sql(
        `select finished_at is not null as finished,
           (select count(email)::int from hapax.customer_order where operation_id = any($2)) as addresses
         from hapax.erasure where operation_id = $1`,
        id,
        ids,
      );
      return row;
    };
    expect(await left()).toEqual({ finished: false, addresses: 2 });
    // The provider has said no: the order stays paid.
    await change('customer_order', `state = 'paid', cancelled_by = null`, 'operation_id');
    expect(await left()).toEqual({ finished: true, addresses: 0 });
  });

  it('goes on where it ended, however often it was cut off and by however many', async () => {
    const keys = Array.from({ length: 6 }, (_, n) => `batch ${n}`);
    for (const key of keys) await ask(key);
    const erasure = (await erase('of what came before')).json.id as string;
    for (const key of keys) gone(await ask(key));
    // As if a worker had died before each batch, and others were at it too.
    await world.sql(`update hapax.operation set fingerprint_version = 1, erased_at = null where key like 'batch %'`);
    const database = new Database(world.databaseUrl, 'hapax_app', 4);
    const batch = async (): Promise<number> => {
      const text = 'select erase_batch($1, 2) as n';
      const [rows] = await database.flush(world.tenants.alpha, { name: 'a_batch', text, values: [erasure] });
      return rows?.[0]?.n as number;
    };
    const counts = await Promise.all(Array.from({ length: 8 }, batch));
    await database.close();
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(keys.length);
    expect((await erase('counted')).json).toMatchObject({ open: 0 });
  });

  it('is for operators, of their own tenant and environment', async () => {
    const refused = await erase('not a caller', 'local-alpha');
    expect([refused.status, refused.json]).toMatchObject([403, { code: 'forbidden', needs: 'operator' }]);
    const beta = await ask('betas', {}, 0, 'local-beta');
    expect((await erase('for live', 'operator-live-alpha', 'nobody')).json).toMatchObject({ erased: 0, open: 0 });
    expect((await ask('betas', {}, 0, 'local-beta')).text).toBe(beta.text);
  });
});

describe('a process that cannot hear of an erasure', () => {
  it('has forgotten all answers when it is back', async () => {
    await ask('unheard', {}, cut);
    expect((await ask('unheard', {}, cut)).headers.get('idempotency-status')).toBe('replayed');
    line.refuse();
    await erase('unheard');
    await pause(soon);
    const blind = await ask('unheard', {}, cut);
    expect(blind.json.code).toBe('ledger-unavailable');
    line.heal();
    const back = await world.until('it is back', async () => {
      const answer = await ask('unheard', {}, cut);
      expect(answer.status).not.toBe(201);
      return answer.status !== 503 && answer;
    });
    gone(back);
  });

  it('notices a line that dies without a word', async () => {
    await ask('silent', {}, cut);
    const deaf = await ask('silent', {}, cut);
    expect(deaf.headers.get('idempotency-status')).toBe('replayed');
    line.swallow();
    await erase('silent');
    const forgotten = await world.until('the answer is forgotten', async () => {
      const answer = await ask('silent', {}, cut);
      return answer.status !== 201 && answer;
    });
    expect(forgotten.json.code).toBe('ledger-unavailable');
    line.heal();
    gone(
      await world.until('it is back', async () => {
        const answer = await ask('silent', {}, cut);
        return answer.status !== 503 && answer;
      }),
    );
  });
});
