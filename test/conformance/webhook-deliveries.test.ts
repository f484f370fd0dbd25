import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { NameUnanswered } from '../../activities/endpoint-address/name-unanswered.ts';
import type { ResolveName } from '../../activities/endpoint-address/resolve-endpoint.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { replayDeadLetter, deadLetters } from '../../activities/stores/postgres/inbox/dead-letters.ts';
import {
  beginSending,
  type Delivery,
  endSending,
  takeDeliveries,
} from '../../activities/stores/postgres/outbox/due-deliveries.ts';
import { type Busy, takeWebhooks } from '../../activities/stores/postgres/outbox/due-webhooks.ts';
import {
  createEndpoint,
  deleteEndpoint,
  disableEndpoint,
  enableEndpoint,
  listEndpoints,
  readEndpoint,
} from '../../activities/stores/postgres/outbox/webhook-endpoints.ts';
import { readSecret, rotateSecret } from '../../activities/stores/postgres/outbox/webhook-secrets.ts';
import { hours } from '../../workflows/operation/duration.ts';
import { endpointId, type Environment, messageId, secretId } from '../../workflows/operation/key.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';
import { doorHere } from '../support/door-here.ts';

const minute = 60_000;
const none: Busy = new Map();
const name = `hooks${randomBytes(4).toString('hex')}`;
let sql: pg.Pool;
let url: string;
let app: Database;
let sender: Database;
beforeAll(async () => {
  const { postgresUrl, template } = inject('ground');
  url = await databaseNamed(postgresUrl, name, template);
  sql = new pg.Pool({ connectionString: url, max: 4 });
  app = new Database(url, 'hapax_app', 2);
  sender = new Database(url, 'hapax_upkeep', 2);
  for (const [tenant, environment] of [
    ['alpha', 'test'],
    ['alpha', 'live'],
    ['beta', 'test'],
  ] as const)
    await sql.query(
      `insert into hapax.operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint,
         fingerprint_version, request, request_id, state)
       values ($1, $2, $3, 'ann', 'ann', 'upload', 1, $1, 1, 'f', 1, '{}', 'req_1', 'claimed')`,
      [operationOf(tenant, environment), tenant, environment],
    );
});
afterAll(async () => {
  await Promise.all([app.close(), sender.close()]);
  await sql.end();
  await dropDatabase(inject('ground').postgresUrl, name);
});
beforeEach(async () => {
  await sql.query('truncate hapax.webhook_endpoint, hapax.webhook_secret, hapax.outbox, hapax.delivery cascade');
});

function operationOf(tenant: string, environment: string): string {
  return `op_${`${tenant}${environment}`.padEnd(26, '0')}`;
}

type Where = { readonly tenant?: string; readonly environment?: Environment };

async function endpoint(key: string, types: readonly string[] | null = null, where: Where = {}): Promise<string> {
  const { tenant = 'alpha', environment = 'test' } = where;
  const id = endpointId({ tenant, environment, subject: 'ann', key });
  const wanted = { url: `https://${key}.example.com/`, types, description: null, by: 'ann' };
  await createEndpoint(app, { tenant, environment, id }, wanted, { id: secretId(id), text: `whsec_${key}` });
  return id;
}

const post = (door: string, key: string) =>
  fetch(`${door}/v1/webhook-endpoints`, {
    method: 'POST',
    headers: { authorization: 'Bearer ann', 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ url: 'https://shop.example.com/' }),
  });

let told = 0;
async function tell(type: string, where: Where = {}, channel = 'event', payload: object = {}): Promise<string> {
  const operation = operationOf(where.tenant ?? 'alpha', where.environment ?? 'test');
  const id = messageId(operation, `m${(told += 1)}`);
  const values = [id, operation, channel, type, JSON.stringify(payload)];
  await sql.query(`select hapax.tell($1, $2, $3, 'asset', 'ast_1', $4, $5)`, values);
  return id;
}

const planned = async () =>
  (
    await sql.query<{ endpoint_id: string }>('select endpoint_id from hapax.delivery where endpoint_id is not null')
  ).rows.map(({ endpoint_id }) => endpoint_id);
const endpointsOf = (taken: readonly Delivery[]) => taken.map(({ webhook }) => webhook?.endpoint ?? '').toSorted();
const here = (id: string) => ({ tenant: 'alpha', environment: 'test', id }) as const;
const take = (atMost = 32, forEach = 4, busy = none) => takeWebhooks(sender, atMost, forEach, busy, minute);

describe('an event', () => {
  it('goes to each endpoint of its tenant and environment that wants its type, and to no other one', async () => {
    const all = await endpoint('all');
    const some = await endpoint('some', ['asset.ready', 'asset.gone']);
    await endpoint('other-type', ['upload.used']);
    await endpoint('other-tenant', null, { tenant: 'beta' });
    await endpoint('other-environment', null, { environment: 'live' });
    const off = await endpoint('disabled');
    await disableEndpoint(sender, off, 'It is gone.');
    await deleteEndpoint(app, here(await endpoint('deleted')));
    const message = await tell('asset.ready');
    expect((await planned()).toSorted()).toEqual([all, some].toSorted());
    const taken = await take();
    expect(new Set(taken.map(({ id }) => id)).size).toBe(2);
    for (const delivery of taken) {
      expect(delivery.id).toMatch(/^dl_[0-9a-z]{26}$/);
      expect(delivery.message).toMatchObject({ id: message, channel: 'webhook', type: 'asset.ready', about: 'ast_1' });
      expect(delivery.webhook?.event).toEqual({ aggregate: 'asset', sequence: 1, cause: 'req_1' });
    }
    const [first] = taken.filter(({ webhook }) => webhook?.endpoint === all);
    expect(first?.webhook).toMatchObject({ url: 'https://all.example.com/', secrets: ['whsec_all'], disabled: false });
  });

  it('goes nowhere where nobody has asked for it, and a mail goes where it did', async () => {
    await tell('asset.ready');
    await endpoint('later');
    const mail = await tell('receipt.requested', {}, 'mail', { email: 'ann@example.com' });
    await tell('receipt.requested', {}, 'mail', {});
    expect(await planned()).toEqual([]);
    // In the words of the former build, too.
    const { rows } = await sql.query(`select * from hapax.take_deliveries(array['mail', 'sms'], 8, 60000)`);
    expect(rows).toMatchObject([{ message_id: mail, id: mail.replace('msg_', 'dl_'), channel: 'mail' }]);
    expect(await takeDeliveries(sender, ['mail', 'sms'], 8, minute)).toEqual([]);
    expect(await take()).toEqual([]);
  });

  it('has one delivery for each endpoint, whoever plans it', async () => {
    const id = await endpoint('once');
    const message = await tell('asset.ready');
    const twice = `insert into hapax.delivery (id, message_id, tenant, channel, endpoint_id) values ($1, $2, 'alpha', 'webhook', $3)`;
    await expect(sql.query(twice, [`dl_${'1'.repeat(26)}`, message, id])).rejects.toMatchObject({
      constraint: 'message_is_delivered_once',
    });
    await expect(sql.query(twice, [`dl_${'1'.repeat(26)}`, message, null])).rejects.toMatchObject({
      constraint: 'webhook_has_an_endpoint',
    });
  });
});

describe('endpoints with something to send', () => {
  it('have a fair share each, however much there is for one of them', async () => {
    const dead = await endpoint('dead', ['a.many']);
    const good = await endpoint('good', ['a.one']);
    await sql.query(
      `select hapax.tell('msg_' || lpad(n::text, 26, '0'), $1, 'event', 'asset', 'ast_' || n, 'a.many', '{}')
       from generate_series(1, 1000) n`,
      [operationOf('alpha', 'test')],
    );
    const last = await tell('a.one');
    const first = await take(8);
    expect(endpointsOf(first)).toEqual([dead, dead, dead, dead, good].toSorted());
    expect(first.find(({ webhook }) => webhook?.endpoint === good)?.message.id).toBe(last);
    // One that is left alone has as many under way as it may have.
    expect(await take(8, 4, new Map([[dead, 4]]))).toEqual([]);
    expect(await take(8, 4, new Map([[dead, 3]]))).toHaveLength(1);
    // Where there is little room, each has its first before any has its second.
    await tell('a.one');
    expect(endpointsOf(await take(2))).toEqual([dead, good].toSorted());
  });

  it('come before one that has some under way, however old its backlog is', async () => {
    const slow = await endpoint('slow', ['a.many']);
    const good = await endpoint('good', ['a.one']);
    for (let n = 0; n < 6; n += 1) await tell('a.many');
    await tell('a.one');
    expect(endpointsOf(await take(1, 4, new Map([[slow, 3]])))).toEqual([good]);
  });

  it('of a tenant with many endpoints do not keep those of another waiting', async () => {
    const many = await Promise.all(Array.from({ length: 8 }, (_, n) => endpoint(`many ${n}`)));
    for (let n = 0; n < 4; n += 1) await tell('asset.ready');
    const other = await endpoint('other', null, { tenant: 'beta' });
    await tell('asset.ready', { tenant: 'beta' });
    expect(endpointsOf(await take(2))).toContain(other);
    await sql.query(`update hapax.delivery set next_at = now() - interval '1 minute' where endpoint_id <> $1`, [other]);
    await sql.query(`update hapax.delivery set next_at = now() where endpoint_id = $1`, [other]);
    const busy = new Map(many.map((id) => [id, 3]));
    expect(endpointsOf(await take(1, 4, busy))).toEqual([other]);
  });

  it('of a deleted endpoint go nowhere, also when their event commits after the deletion', async () => {
    const id = await endpoint('leaves');
    const late = await sql.connect();
    try {
      await late.query('begin');
      await late.query(`select hapax.tell($1, $2, 'event', 'asset', 'ast_1', 'asset.ready', '{}')`, [
        `msg_${'9'.repeat(26)}`,
        operationOf('alpha', 'test'),
      ]);
      expect(await deleteEndpoint(app, { tenant: 'alpha', environment: 'test', id })).toBe(true);
      await late.query('commit');
    } finally {
      late.release();
    }
    expect(await take()).toMatchObject([{ webhook: { endpoint: id, deleted: true } }]);
  });

  it('are taken by one sender at a time', async () => {
    const ids = await Promise.all(['a', 'b', 'c'].map((key) => endpoint(key)));
    for (let n = 0; n < 4; n += 1) await tell('asset.ready');
    const taken = (await Promise.all([take(), take(), take(), take()])).flat();
    const more = await take();
    const all = [...taken, ...more].map(({ id }) => id);
    expect([new Set(all).size, all.length]).toEqual([4 * ids.length, 4 * ids.length]);
  });

  it('are tried again when what has come of it says so, and a dead letter names the endpoint and is replayed', async () => {
    const id = await endpoint('letters');
    const message = await tell('asset.ready');
    const [delivery] = await take();
    if (delivery === undefined) expect.unreachable();
    expect(await beginSending(sender, delivery, id, minute)).toBe(true);
    const why = { code: 'delivery-failed', detail: 'The receiver answered 500.', doubted: false };
    await endSending(sender, delivery, { state: 'failed', ...why });
    const query = {
      environment: 'test',
      state: undefined,
      source: undefined,
      handler: 'webhook',
      limit: 9,
      after: undefined,
    } as const;
    const letters = await deadLetters(app, 'alpha', query);
    expect(letters).toMatchObject([
      { id: delivery.id, event: message, handler: 'webhook', endpoint: id, code: why.code },
    ]);
    expect(await deadLetters(app, 'beta', query)).toEqual([]);
    expect(await replayDeadLetter(app, 'beta', 'test', delivery.id)).toBe(false);
    expect(await replayDeadLetter(app, 'alpha', 'test', delivery.id)).toBe(true);
    expect((await take()).map((again) => [again.id, again.message.id])).toEqual([[delivery.id, message]]);
  });
});

describe('an endpoint', () => {
  it('is one of 50 at most of its tenant and environment: one must go before another one comes', async () => {
    for (let n = 0; n < 48; n += 1) await endpoint(`e${n}`);
    // Of several at once, no more than there is room for.
    const more = await Promise.allSettled(['x', 'y', 'z', 'y'].map((key) => endpoint(key)));
    const [x, y, z, again] = more.map(({ status }) => status);
    expect([x, y, z].filter((status) => status === 'fulfilled')).toHaveLength(2);
    expect(again).toBe(y);
    await endpoint('e0');
    await endpoint('live', null, { environment: 'live' });
    await endpoint('theirs', null, { tenant: 'beta' });
    const door = await doorHere(inject('ground'), url, [], 'operator', {
      endpoints: { rules: { loopback: false }, resolve: async () => ['93.184.216.34'] },
    });
    const create = () => post(door.url, 'one too many');
    try {
      const refused = await create();
      expect([refused.status, await refused.json()]).toMatchObject([
        409,
        { code: 'too-many-endpoints', sameKeySafe: true, detail: expect.stringContaining('delete one') },
      ]);
      const headers = { authorization: 'Bearer ann' };
      const id = endpointId({ tenant: 'alpha', environment: 'test', subject: 'ann', key: 'e1' });
      await fetch(`${door.url}/v1/webhook-endpoints/${id}`, { method: 'DELETE', headers });
      expect([(await create()).status, (await create()).status]).toEqual([201, 201]);
    } finally {
      await door.close();
    }
  });

  it('is not created while its name cannot be looked up: the same request creates it afterwards', async () => {
    let resolve: ResolveName = async () => {
      throw new NameUnanswered('The name server gave no answer (ETIMEOUT).');
    };
    const endpoints = { rules: { loopback: false }, resolve: (asked: string) => resolve(asked) };
    const door = await doorHere(inject('ground'), url, [], 'operator', { endpoints });
    const create = () => post(door.url, 'dns');
    try {
      const away = await create();
      expect([away.status, away.headers.get('retry-after')]).toEqual([503, '5']);
      expect(await away.json()).toMatchObject({ code: 'name-unanswered', retryable: true, sameKeySafe: true });
      resolve = async () => [];
      expect((await create()).status).toBe(400);
      expect((await sql.query('select from hapax.webhook_endpoint')).rowCount).toBe(0);
      resolve = async () => ['93.184.216.34'];
      expect((await create()).status).toBe(201);
    } finally {
      await door.close();
    }
  });

  it('is created once for its key, and is seen by its tenant and environment alone', async () => {
    const id = await endpoint('mine', ['asset.ready']);
    expect(await endpoint('mine', null)).toBe(id);
    // What came first counts: the route compares it.
    expect(await readEndpoint(app, here(id))).toMatchObject({ types: ['asset.ready'], disabledAt: null });
    const page = { limit: 9, after: undefined };
    expect(await listEndpoints(app, { ...here(id), ...page })).toHaveLength(1);
    for (const stranger of [
      { ...here(id), tenant: 'beta' },
      { ...here(id), environment: 'live' as const },
    ]) {
      expect(await readEndpoint(app, stranger)).toBeUndefined();
      expect(await listEndpoints(app, { ...stranger, ...page })).toEqual([]);
      expect(await enableEndpoint(app, stranger)).toBeUndefined();
      expect(await deleteEndpoint(app, stranger)).toBe(false);
      const rotation = {
        ...stranger,
        endpoint: id,
        id: secretId(id, { subject: 'eve', key: 'k' }),
        secret: 'x',
        beside: 1,
      };
      expect(await rotateSecret(app, rotation)).toBe(false);
    }
    expect(await readSecret(app, 'beta', secretId(id))).toBeUndefined();
    expect(await readSecret(app, 'alpha', secretId(id))).toBe('whsec_mine');
    // Without a tenant there is nothing to see at all.
    expect(await app.alone({ name: '', text: 'select id from webhook_secret', values: [] })).toEqual([]);
  });

  it('signs with its new secret and the former one for a while, once for each key of a rotation', async () => {
    const id = await endpoint('rotated');
    await tell('asset.ready');
    const rotate = async (key: string, secret: string, beside: number) => {
      const rotation = secretId(id, { subject: 'ann', key });
      expect(await rotateSecret(app, { ...here(id), endpoint: id, id: rotation, secret, beside })).toBe(true);
      return await readSecret(app, 'alpha', rotation);
    };
    const signing = async () => {
      await sql.query('update hapax.delivery set next_at = now()');
      return (await take())[0]?.webhook?.secrets;
    };
    expect(await rotate('one', 'whsec_second', hours(24))).toBe('whsec_second');
    expect(await rotate('one', 'whsec_of_a_retry', hours(24))).toBe('whsec_second');
    expect(await signing()).toEqual(['whsec_second', 'whsec_rotated']);
    await sql.query(`update hapax.webhook_secret set signs_until = now() where signs_until is not null`);
    expect(await signing()).toEqual(['whsec_second']);
    expect(await readSecret(app, 'alpha', secretId(id))).toBeUndefined();
    await rotate('two', 'whsec_third', hours(24));
    expect(await signing()).toEqual(['whsec_third', 'whsec_second']);
    // What signs nothing any more is not kept.
    const { rows } = await sql.query('select secret from hapax.webhook_secret order by made_at');
    expect(rows.map(({ secret }) => secret as string)).toEqual([null, 'whsec_second', 'whsec_third']);
    // A retry that comes late is no rotation.
    expect(await rotate('one', 'whsec_late', hours(24))).toBe('whsec_second');
    expect(await signing()).toEqual(['whsec_third', 'whsec_second']);
  });

  it('takes with it what has not left, and a late retry does not create it again', async () => {
    const id = await endpoint('short-lived');
    const gone = await endpoint('stays');
    await tell('asset.ready');
    const sent = (await take()).find(({ webhook }) => webhook?.endpoint === id) ?? expect.unreachable();
    await endSending(sender, sent, { state: 'sent' });
    await tell('asset.ready');
    expect([await deleteEndpoint(app, here(id)), await deleteEndpoint(app, here(id))]).toEqual([true, true]);
    expect((await planned()).toSorted()).toEqual([id, gone, gone].toSorted());
    expect(await readSecret(app, 'alpha', secretId(id))).toBeUndefined();
    expect(await endpoint('short-lived')).toBe(id);
    expect(await readEndpoint(app, here(id))).toMatchObject({ deleted: true });
    expect(await enableEndpoint(app, here(id))).toBeUndefined();
    expect(await readSecret(app, 'alpha', secretId(id))).toBeUndefined();
    const { rows } = await sql.query('select secret from hapax.webhook_secret where endpoint_id = $1', [id]);
    expect(rows).toEqual([{ secret: null }]);
  });
});
