import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { KeyRing } from '../../activities/seal/key-ring.ts';
import { Seals } from '../../activities/seal/seals.ts';
import { claim } from '../../activities/stores/postgres/ledger/claim.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { keyOfContent } from '../../client/gateway/key-of-content.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { minutes } from '../../workflows/operation/duration.ts';
import { fingerprint } from '../../workflows/operation/fingerprint.ts';
import { operationId, workflowId } from '../../workflows/operation/key.ts';
import { readConfig } from '../../workers/config.ts';
import { codecSettings, startCodec } from '../../workers/codec.ts';
import { columnsWith } from '../support/every-column.ts';
import { checkoutScope } from '../support/lane.ts';
import { rawHistory } from '../support/raw-histories.ts';
import { keyOf, sealKeys, testSeals } from '../support/seal-keys.ts';
import { World } from '../support/world.ts';
import { effectsOf, paidOnce } from './effects.ts';

const email = 'canary.person@example.com';
const payloadKeys = `p1:${keyOf('p')}`;

let world: World;
/** The door of a second stack on the same ledger, after a rotation of seal keys; it has a worker of its own. */
let rotated: number;
beforeAll(async () => {
  world = await World.create(inject('ground'), {
    env: { HAPAX_PAYLOAD_CODEC: 'on', HAPAX_PAYLOAD_KEYS: payloadKeys, HAPAX_LOG_LEVEL: 'info' },
  });
  const after = {
    HAPAX_SEAL_KEYS: `next:${keyOf('n')},${sealKeys}`,
    HAPAX_TASK_QUEUE: `${world.env.HAPAX_TASK_QUEUE}-next`,
  };
  const [, door] = await Promise.all([
    world.start('workers/operations.ts', after),
    world.start('workers/http.ts', after),
  ]);
  rotated = world.doors.push(door) - 1;
});
afterAll(() => world.close());

const ask = (key: string, changes: object = {}, door = 0) => world.checkout(key, { email, ...changes }, { door });
const place = (operation: string) => ({ tenant: world.tenants.alpha, flow: 'checkout', operation, field: 'email' });
const idOf = (key: string) => operationId(checkoutScope(world, key), 1);

describe('an e-mail address', () => {
  it('stands nowhere in PostgreSQL, and opens where it is needed', async () => {
    const paid = await ask('nowhere');
    expect(paid.status).toBe(201);
    // The search finds what is there.
    expect(await columnsWith(world, 'cart-nowhere')).toEqual(
      expect.arrayContaining(['hapax.customer_order.cart_id', 'hapax.operation.request', 'hapax.step.request']),
    );
    expect(await columnsWith(world, email)).toEqual([]);
    expect(await columnsWith(world, Buffer.from(email).toString('hex'))).toEqual([]);
    const [row] = await world.sql<{ asked: string; ordered: string; receipt: string }>(
      `select o.request ->> 'email' as asked, c.email as ordered, b.payload ->> 'email' as receipt
       from hapax.operation o join hapax.customer_order c on c.operation_id = o.id join hapax.outbox b on b.operation_id = o.id
       where o.id = $1`,
      paid.json.id,
    );
    for (const sealed of Object.values(row ?? {})) expect(testSeals.open(sealed, place(paid.json.id))).toBe(email);
    expect(Object.keys(row ?? {})).toHaveLength(3);
  });

  it('stands in no history of Temporal’s, which shows nothing else either while payloads are encrypted', async () => {
    await ask('no history');
    // The caller is answered when the ledger has settled, which is before the workflow has ended.
    const history = await world.until('the workflow has ended', async () => {
      const now = await rawHistory(world, workflowId(checkoutScope(world, 'no history'), 1));
      return now.includes('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED') && now;
    });
    for (const word of [email, 'cart-no history', 'mug-blue', 'pm_card_visa', 'sealed:1:', 'orderId'])
      expect(history).not.toContain(word);
    expect(await effectsOf(world, 'no history')).toEqual(paidOnce);
  });

  it('is only sealed text to the story, as the codec server shows it to those who have the keys', async () => {
    await ask('decoded');
    const codec = await startCodec(
      readConfig(codecSettings, {
        HAPAX_PAYLOAD_KEYS: payloadKeys,
        HAPAX_CODEC_PORT: '0',
        HAPAX_CODEC_ORIGINS: 'http://ui.test',
      }),
    );
    const decode = (headers: Record<string, string>, body: string) =>
      fetch(`${codec.address}/decode`, { method: 'POST', headers, body });
    try {
      const history = await rawHistory(world, workflowId(checkoutScope(world, 'decoded'), 1));
      const [, data = ''] = /"data":"((?:[^"\\]|\\.)*)"/.exec(history) ?? [];
      const payload = {
        metadata: { encoding: base64('binary/encrypted'), 'encryption-key-id': base64('p1') },
        data: Buffer.from(JSON.parse(`"${data}"`) as string, 'latin1').toString('base64'),
      };
      const body = JSON.stringify({ payloads: [payload] });
      const decoded = await decode({ origin: 'http://ui.test' }, body);
      expect([decoded.status, decoded.headers.get('access-control-allow-origin')]).toEqual([200, 'http://ui.test']);
      const [shown] = ((await decoded.json()) as { payloads: { data: string }[] }).payloads;
      expect(Buffer.from(shown?.data ?? '', 'base64').toString()).toContain(idOf('decoded'));
      expect((await decode({ origin: 'http://elsewhere.test' }, body)).status).toBe(403);
      expect((await decode({}, '[')).status).toBe(400);
    } finally {
      await codec.stop();
    }
  });

  it('stands in no log', async () => {
    await ask('no log');
    await ask('no log', { email: `other.${email}` });
    await ask('declined', { paymentMethod: 'pm_card_visa_chargeDeclined' });
    const logs = (await readdir(world.directory)).filter((file) => file.endsWith('.log'));
    const texts = await Promise.all(logs.map((file) => readFile(join(world.directory, file), 'utf8')));
    expect(texts.join('')).not.toBe('');
    expect(texts.filter((text) => text.includes(email))).toEqual([]);
  });

  it('is part of what is asked for: another one is told apart, and named without being shown', async () => {
    const first = await ask('told apart');
    for (const door of [0, rotated]) {
      const other = await ask('told apart', { email: 'somebody@example.com' }, door);
      expect([other.status, other.json.code, other.json.fields]).toEqual([422, 'key-reused', ['email']]);
      expect(other.text).not.toMatch(/example\.com|sealed:/);
      expect((await world.checkout('told apart', {}, { door })).json.fields).toEqual(['email']);
    }
    expect((await ask('told apart')).text).toBe(first.text);
    expect(await effectsOf(world, 'told apart')).toEqual(paidOnce);
  });
});

describe('after a rotation of keys', () => {
  it('a retry of what was claimed before gets its answer, and what is claimed after opens there', async () => {
    const first = await ask('rotated');
    const again = await ask('rotated', {}, rotated);
    expect([again.status, again.text]).toEqual([201, first.text]);
    const after = await ask('claimed after', {}, rotated);
    expect(after.status).toBe(201);
    const [row] = await world.sql<{ request: { email: string }; fingerprint: string }>(
      'select request, fingerprint from hapax.operation where id = $1',
      after.json.id,
    );
    expect([row?.request.email, row?.fingerprint]).toEqual([
      expect.stringMatching(/^sealed:1:next:/),
      expect.stringMatching(/^next:/),
    ]);
    // A process to which the new key was not given yet does not guess, and begins nothing a second time.
    const unknown = await ask('claimed after');
    expect([unknown.status, unknown.json.code]).toEqual([503, 'fingerprint-unknown']);
    for (const key of ['rotated', 'claimed after']) expect(await effectsOf(world, key)).toEqual(paidOnce);
  });

  it('content without a key that came before is the same content, for whoever knows both keys', async () => {
    const database = new Database(world.databaseUrl, 'hapax_app', 1);
    const flow = { ...checkoutFlow, contentKey: { window: minutes(10), because: 'a test' } };
    const request = checkoutFlow.request.parse({ ...world.cart('content'), email });
    const call = { tenant: world.tenants.alpha, environment: 'test', subject: 'default', request } as const;
    const key = (keys: string) => keyOfContent({ database, seals: new Seals(KeyRing.read(keys)) }, flow, call);
    const [former, next] = [sealKeys, `next:${keyOf('n')}`];
    const before = await key(former);
    expect(before).toMatch(/^content\.test:/);
    for (const keys of [`${next},${former}`, `${former},${next}`, former]) expect(await key(keys)).toBe(before);
    expect(await key(next)).toMatch(/^content\.next:/);
    await database.close();
  });

  it('a buyer who has used a code that each may use once is still known', async () => {
    await world.sql(
      `insert into hapax.promo_code (tenant, environment, code, percent, most_uses, once_by_buyer)
       values ($1, 'test', 'ONCE', 10, 100, true)`,
      world.tenants.alpha,
    );
    expect((await ask('used before', { promo: 'ONCE' })).status).toBe(201);
    const again = await ask('used after', { promo: 'ONCE', email: email.toUpperCase() }, rotated);
    expect([again.status, again.json.code]).toEqual([409, 'promo-used-by-you']);
    // As an order from before addresses were sealed has it.
    await world.sql(`update hapax.customer_order set promo_buyer = $1 where promo_buyer is not null`, email);
    const third = await ask('used long ago', { promo: 'ONCE' }, rotated);
    expect([third.status, third.json.code]).toEqual([409, 'promo-used-by-you']);
    await world.sql(`update hapax.customer_order set promo_buyer = 'test:moved' where promo_buyer is not null`);
    expect((await ask('free again', { promo: 'ONCE' }, rotated)).status).toBe(201);
  });
});

describe('what the build before has claimed', () => {
  it('is recognised by its plain fingerprint, and told to its end', async () => {
    const scope = checkoutScope(world, 'from before');
    const request = { ...world.cart('from before'), email };
    const database = new Database(world.databaseUrl, 'hapax_app', 1);
    await claim(database, {
      ...{ id: operationId(scope, 1), scope, subject: 'default', generation: 1, flowVersion: 1, request },
      fingerprint: fingerprint(checkoutFlow.name, checkoutFlow.intent, request),
      ...{ fingerprintVersion: 1, requestId: 'a test', state: 'claimed', deadline: null, insert: true },
    });
    await database.close();
    const paid = await world.until('it is paid', async () => {
      const answer = await ask('from before');
      return answer.status === 201 && answer;
    });
    expect((await ask('from before', { email: 'somebody@example.com' })).json.code).toBe('key-reused');
    expect(await effectsOf(world, 'from before')).toEqual(paidOnce);
    const [order] = await world.sql<{ email: string }>(
      'select email from hapax.customer_order where operation_id = $1',
      paid.json.id,
    );
    expect(order?.email).toMatch(/^sealed:1:test:/);
    expect(testSeals.open(order?.email, place(paid.json.id))).toBe(email);
  });
});

describe('a process without the keys', () => {
  it('that sends mail does not start: it could open no address', async () => {
    await expect(world.start('workers/mail.ts', { HAPAX_SEAL_KEYS: '' })).rejects.toThrow(
      /ended with 1:\n[^]*Cannot start:\n {2}HAPAX_SEAL_KEYS is not set/,
    );
  });

  it('does not start where payloads are encrypted with a key that it lacks, and says which', async () => {
    await world.until(
      'upkeep has raised its sentinel',
      async () => (await rawHistory(world, `sentinel/${world.env.HAPAX_TASK_QUEUE}`).catch(() => '')) !== '',
    );
    for (const env of [
      { HAPAX_PAYLOAD_CODEC: 'off', HAPAX_PAYLOAD_KEYS: '' },
      { HAPAX_PAYLOAD_CODEC: 'on', HAPAX_PAYLOAD_KEYS: `p2:${keyOf('q')}` },
    ])
      await expect(world.start('workers/media.ts', env)).rejects.toThrow(
        /ended with 1:\n[^]*Cannot start:\n {2}Temporal's payloads are encrypted with key p1, .* add the key to HAPAX_PAYLOAD_KEYS/,
      );
  });
});

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
