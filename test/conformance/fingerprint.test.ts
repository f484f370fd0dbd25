import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ConnectedGateway, connectGateway } from '../../client/gateway/connect.ts';
import { KeyMisused } from '../../client/gateway/service-answer.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { rawRequest } from '../http/raw-exchange.ts';
import { type Answered, World } from '../support/world.ts';
import { anotherBuild } from './another-build.ts';
import { allEffects, effectsOf, nothing, paidOnce } from './effects.ts';
import { holdConfirm, release, untilHeld } from './held.ts';

let world: World;
let trusted: ConnectedGateway;
beforeAll(async () => {
  world = await World.create(inject('ground'));
  trusted = await connectGateway({
    databaseUrl: world.databaseUrl,
    temporalAddress: inject('ground').temporalAddress,
    taskQueue: world.env.HAPAX_TASK_QUEUE as string,
  });
});
afterAll(async () => {
  await trusted.close();
  await world.close();
});

/** A caller that waits for as long as one may. */
const longest = { headers: { prefer: 'wait=30' } };

/** Nothing of the first operation: no id, no state, no result, not even when it was. */
function revealsNothing(answer: Answered, first: { id: string; orderId?: string; paymentIntent?: string }): void {
  expect(answer.status).toBe(422);
  expect(answer.json).toMatchObject({
    code: 'key-reused',
    retryable: false,
    sameKeySafe: false,
    action: 'fix_request',
  });
  const whole = answer.text + JSON.stringify([...answer.headers]);
  for (const secret of [first.id, first.id.slice(3), first.orderId, first.paymentIntent, 'mug-blue', '1250'])
    if (secret !== undefined) expect(whole).not.toContain(secret);
  const told = [...answer.headers.keys()].filter((name) => /^(idempot|hapax|location|original)/.test(name));
  // The caller's own word.
  expect(told).toEqual(['idempotency-key']);
}

const others: [what: string, changes: Record<string, unknown>][] = [
  ['another cart', { cartId: 'another' }],
  ['another quantity', { items: [{ sku: 'mug-blue', quantity: 2 }] }],
  ['another item', { items: [{ sku: 'book-small', quantity: 1 }] }],
  [
    'one item more',
    {
      items: [
        { sku: 'mug-blue', quantity: 1 },
        { sku: 'book-small', quantity: 1 },
      ],
    },
  ],
  ['another card', { paymentMethod: 'pm_card_mastercard' }],
  ['an e-mail address more', { email: 'ann@example.com' }],
  ['a cart that looks alike in another form of Unicode', { cartId: 'cafe\u0301' }],
];

describe('another intent under the same key', () => {
  it.each(others)('is refused once the first has settled, and reveals nothing of it: %s', async (what, changes) => {
    const key = `settled-${what}`;
    const plain = { cartId: what.includes('Unicode') ? 'caf\u00e9' : `cart of ${what}` };
    const first = await world.checkout(key, plain);
    expect(first.status).toBe(201);
    revealsNothing(await world.checkout(key, { ...plain, ...changes }), first.json);
    expect(await effectsOf(world, key)).toEqual(paidOnce);
    expect((await world.checkout(key, plain)).text).toBe(first.text);
  });

  it('is refused at once while the first is in flight, and does not disturb it', async () => {
    const id = await holdConfirm(world, 'in-flight');
    const first = world.checkout('in-flight', {}, longest);
    await untilHeld(world, 'in-flight');
    const begun = performance.now();
    // It would wait for half a minute, where there were something to wait for.
    revealsNothing(await world.checkout('in-flight', { cartId: 'another' }, longest), { id });
    expect(performance.now() - begun).toBeLessThan(20_000);
    await release(world);
    expect((await first).status).toBe(201);
    expect(await effectsOf(world, 'in-flight')).toEqual(paidOnce);
  });

  it('is refused when both come at once, and one of them is done', async () => {
    const answers = await Promise.all([
      world.checkout('both', { cartId: 'both-a' }),
      world.checkout('both', { cartId: 'both-b' }),
    ]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 422]);
    expect(await effectsOf(world, 'both')).toEqual(paidOnce);
  });

  it('is refused where the order of a list says something', async () => {
    const items = [
      { sku: 'mug-blue', quantity: 1 },
      { sku: 'book-small', quantity: 1 },
    ];
    expect((await world.checkout('list', { items })).status).toBe(201);
    expect((await world.checkout('list', { items: items.toReversed() })).status).toBe(422);
    expect(await effectsOf(world, 'list')).toEqual(paidOnce);
  });
});

describe('the same intent', () => {
  const forms: [
    how: string,
    body: (cart: Record<string, unknown>) => string | Uint8Array,
    headers?: Record<string, string>,
  ][] = [
    [
      'with its members in another order',
      (cart) => JSON.stringify(Object.fromEntries(Object.entries(cart).toReversed())),
    ],
    ['with white space', (cart) => `\n\t${JSON.stringify(cart, null, 4)} \r\n`],
    ['with escapes', (cart) => JSON.stringify(cart).replaceAll('c', '\\u0063')],
    ['with its numbers written otherwise', (cart) => JSON.stringify(cart).replace('"quantity":1', '"quantity":1.0')],
    ['with its numbers in exponents', (cart) => JSON.stringify(cart).replace('"quantity":1', '"quantity":10e-1')],
    ['in gzip', (cart) => gzipSync(JSON.stringify(cart)), { 'content-encoding': 'gzip' }],
    ['with a charset', (cart) => JSON.stringify(cart), { 'content-type': 'application/json; charset=utf-8' }],
    ['behind a byte order mark', (cart) => `\uFEFF${JSON.stringify(cart)}`],
  ];

  it.each(forms)('is replayed %s', async (how, body, headers = {}) => {
    const cart = world.cart(how);
    const first = await world.checkout(how);
    expect(first.status).toBe(201);
    const again = await world.ask('POST', '/v1/checkouts', { key: how, body: body(cart), headers });
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(await effectsOf(world, how)).toEqual(paidOnce);
  });

  it('in gzip first runs, and is replayed in plain', async () => {
    const body = gzipSync(JSON.stringify(world.cart('gzip-first')));
    const first = await world.ask('POST', '/v1/checkouts', {
      key: 'gzip-first',
      body,
      headers: { 'content-encoding': 'gzip' },
    });
    expect(first.status).toBe(201);
    expect((await world.checkout('gzip-first')).text).toBe(first.text);
    expect(await effectsOf(world, 'gzip-first')).toEqual(paidOnce);
  });

  const call = (key: string) => ({
    tenant: world.tenants.alpha,
    environment: 'test' as const,
    subject: 'default',
    key,
    request: { paymentMethod: 'pm_card_visa', items: [{ quantity: 1, sku: 'mug-blue' }], cartId: `cart-${key}` },
  });

  it('is the same operation through the gateway, whichever door it came by first', async () => {
    const http = await world.checkout('http-first');
    const told = await trusted.gateway.run(checkoutFlow, call('http-first'));
    expect(told).toMatchObject({
      id: http.json.id,
      state: 'succeeded',
      how: 'replayed',
      result: { orderId: http.json.orderId },
    });
    expect(await effectsOf(world, 'http-first')).toEqual(paidOnce);

    const before = await trusted.gateway.run(checkoutFlow, call('gateway-first'));
    const after = await world.checkout('gateway-first');
    expect(after.json.id).toBe(before.id);
    expect(after.headers.get('idempotent-replayed')).toBe('true');
    expect(await effectsOf(world, 'gateway-first')).toEqual(paidOnce);
  });

  it('is joined through the gateway while the HTTP door is waiting for it', async () => {
    const id = await holdConfirm(world, 'joined-doors');
    const http = world.checkout('joined-doors', {}, longest);
    await untilHeld(world, 'joined-doors');
    const told = trusted.gateway.run(checkoutFlow, call('joined-doors'));
    // Let go before the gateway has asked, it would be over by then.
    await world.until('the gateway has joined', async () => {
      const joins = `select from hapax.arrival where operation_id = $1 and decision = 'joined'`;
      return (await world.sql(joins, id)).length > 0;
    });
    await release(world);
    expect([(await told).id, (await told).how]).toEqual([(await http).json.id, 'joined']);
    expect(await effectsOf(world, 'joined-doors')).toEqual(paidOnce);
  });

  it.each([
    ['a field that nobody knows', {}, { amount: 1 }, 'request-invalid'],
    ['a quantity of a half', {}, { items: [{ sku: 'mug-blue', quantity: 0.5 }] }, 'request-invalid'],
    ['a key that no header could carry', { key: 'caf\u00e9' }, {}, 'key-malformed'],
    ['an empty key', { key: '' }, {}, 'key-malformed'],
    ['a key that is too long', { key: 'k'.repeat(256) }, {}, 'key-malformed'],
  ])('is held to the same rules by the gateway: %s', async (what, changes, request, code) => {
    const before = await allEffects(world);
    const unsound = { ...call(what), ...changes, request: { ...call(what).request, ...request } };
    await expect(trusted.gateway.start(checkoutFlow, unsound)).rejects.toMatchObject({ name: 'CallRefused', code });
    await expect(trusted.gateway.run(checkoutFlow, unsound)).rejects.toMatchObject({ name: 'CallRefused', code });
    expect(await allEffects(world)).toEqual(before);
  });

  it('is told from another one by the gateway as well', async () => {
    await world.checkout('misused');
    const other = { ...call('misused'), request: { ...call('misused').request, cartId: 'another' } };
    await expect(trusted.gateway.run(checkoutFlow, other)).rejects.toThrow(KeyMisused);
    expect(await effectsOf(world, 'misused')).toEqual(paidOnce);
  });
});

describe('a request that is refused for its form leaves its key free', () => {
  it('with an unknown field', async () => {
    const refused = await world.checkout('unknown-field', { amount: 1 });
    expect([refused.status, refused.json.code]).toEqual([400, 'request-invalid']);
    expect(await effectsOf(world, 'unknown-field')).toEqual(nothing);
    expect((await world.checkout('unknown-field')).status).toBe(201);
    expect(await effectsOf(world, 'unknown-field')).toEqual(paidOnce);
  });

  it('with a body that was cut off, and runs when it is complete', async () => {
    const whole = rawRequest({
      headers: [['Idempotency-Key', 'cut-off']],
      body: JSON.stringify(world.cart('cut-off')),
    });
    const { hostname, port } = new URL((world.doors[0] as { address: string }).address);
    for (const end of ['end', 'reset'] as const)
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), hostname, () => {
          socket.write(whole.subarray(0, whole.length - 20), () =>
            end === 'end' ? socket.end() : socket.resetAndDestroy(),
          );
        });
        socket.on('data', () => undefined).on('close', () => resolve());
      });
    expect(await effectsOf(world, 'cut-off')).toEqual(nothing);
    expect((await world.checkout('cut-off')).status).toBe(201);
    expect(await effectsOf(world, 'cut-off')).toEqual(paidOnce);
  });
});

describe('a deploy that changes a default', () => {
  it('knows the retries of requests that had left the field out, and its own', async () => {
    const withDefault = async (folder: string, value: string): Promise<number> => {
      const directory = await anotherBuild(join(world.directory, folder), {
        'workflows/upload.flow.ts': [
          [
            `dedup: z.enum(['global', 'account', 'folder', 'intent']).optional()`,
            `dedup: z.enum(['global', 'account', 'folder', 'intent']).default('${value}')`,
          ],
        ],
      });
      return world.doors.push(await world.start(join(directory, 'workers/http.ts'))) - 1;
    };
    const doors = [
      0,
      await withDefault('account-by-default', 'account'),
      await withDefault('folder-by-default', 'folder'),
    ];
    const body = { name: 'a.bin', size: 3, type: 'application/octet-stream', destination: 'inbox' };
    const announce = (key: string, door: number, changes: object = {}) =>
      world.ask('POST', '/v1/uploads', { key, door, body: { ...body, ...changes } });
    for (const first of doors) {
      const key = `default-${first}`;
      const { status, json } = await announce(key, first);
      expect(status).toBe(201);
      for (const door of doors) expect((await announce(key, door)).json).toMatchObject({ id: json.id });
      // Said, it is another intent than left out: nobody can know what the default will be.
      expect((await announce(key, first, { dedup: 'account' })).json.code).toBe('key-reused');
    }
    expect(
      await world.sql(`select request->>'dedup' as dedup from hapax.operation where key like 'default-%' order by key`),
    ).toEqual([{ dedup: null }, { dedup: 'account' }, { dedup: 'folder' }]);
  });
});

describe('a deploy that takes fingerprints in another way', () => {
  it('knows the retries of what the former build has begun, and the former build claims nothing it cannot compare', async () => {
    const directory = await anotherBuild(join(world.directory, 'next'), {
      'workflows/operation/fingerprint.ts': [
        ['export const fingerprintVersion = 1;', 'export const fingerprintVersion = 3;'],
        ['  1: (form) => ', "  3: (form, mac) => `next ${versions[1]?.(form, mac) ?? ''}`,\n  1: (form) => "],
      ],
    });
    const next = world.doors.push(await world.start(join(directory, 'workers/http.ts'))) - 1;

    const first = await world.checkout('before-deploy');
    const again = await world.checkout('before-deploy', {}, { door: next });
    expect([again.status, again.text]).toEqual([201, first.text]);
    const other = await world.checkout('before-deploy', {}, { door: next, body: world.cart('another') });
    revealsNothing(other, first.json);
    expect(await effectsOf(world, 'before-deploy')).toEqual(paidOnce);
    expect(await world.sql(`select fingerprint_version from hapax.operation where key = 'before-deploy'`)).toEqual([
      { fingerprint_version: 1 },
    ]);

    // The former build, still running beside the next one, meets a row that it cannot read: it stops rather than guess.
    const newer = await world.checkout('after-deploy', {}, { door: next });
    expect(newer.status).toBe(201);
    for (const body of [world.cart('after-deploy'), world.cart('another')]) {
      const unread = await world.checkout('after-deploy', {}, { body });
      expect(unread.status).toBe(503);
      expect(unread.json).toMatchObject({ code: 'fingerprint-unknown', retryable: true, sameKeySafe: true });
      expect(unread.text).not.toContain(newer.json.id);
    }
    expect((await world.checkout('after-deploy', {}, { door: next })).text).toBe(newer.text);
    expect(await effectsOf(world, 'after-deploy')).toEqual(paidOnce);
  });
});
