import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Answered, World } from '../support/world.ts';
import { effectsOf, paidOnce } from './effects.ts';

const origin = 'https://shop.example';
let world: World;
beforeAll(async () => {
  // Without the memory, each replay is what the ledger has.
  world = await World.create(inject('ground'), {
    oddMoney: 'orders and stock are changed by hand',
    env: { HAPAX_ANSWER_CACHE: '0', HAPAX_CORS_ORIGINS: `${origin}, https://app.example` },
  });
});
afterAll(() => world.close());

/** What the provider was asked for an operation, effect or not. */
async function asked(id: string): Promise<number> {
  const requests = await fetch(`${world.sandbox.address}/_requests?operation=${id}`);
  return ((await requests.json()) as unknown[]).length;
}

async function stock(sku: string): Promise<number | undefined> {
  const [row] = await world.sql<{ stock: number }>(
    `select stock from hapax.catalogue_item where sku = $1 and tenant = $2 and environment = 'test'`,
    sku,
    world.tenants.alpha,
  );
  return row?.stock;
}

function replayOf(first: Answered, again: Answered): void {
  expect([again.status, again.text]).toEqual([first.status, first.text]);
  for (const name of ['content-type', 'location', 'retry-after'])
    expect(again.headers.get(name)).toBe(first.headers.get(name));
  expect(again.headers.get('idempotency-status')).toBe('replayed');
  expect(again.headers.get('idempotent-replayed')).toBe('true');
  expect(again.headers.get('original-request')).toBe(first.headers.get('request-id'));
  expect(again.headers.get('request-id')).not.toBe(first.headers.get('request-id'));
}

describe('a refusal that the world has agreed on is kept', () => {
  const cases: [what: string, changes: Record<string, unknown>, status: number, code: string, more: object][] = [
    [
      'a declined card',
      { paymentMethod: 'pm_card_chargeDeclined' },
      402,
      'card-declined',
      { declineCode: 'generic_decline', action: 'change_payment_method' },
    ],
    [
      'insufficient funds',
      { paymentMethod: 'pm_card_chargeDeclinedInsufficientFunds' },
      402,
      'card-declined',
      { declineCode: 'insufficient_funds', action: 'change_payment_method' },
    ],
    [
      'an expired card',
      { paymentMethod: 'pm_card_chargeDeclinedExpiredCard' },
      402,
      'card-declined',
      { action: 'change_payment_method' },
    ],
    [
      'a card that nobody knows',
      { paymentMethod: 'pm_card_nobody' },
      422,
      'payment-refused',
      { action: 'change_payment_method' },
    ],
    [
      'too little stock',
      { items: [{ sku: 'book-small', quantity: 4 }] },
      409,
      'out-of-stock',
      { items: [{ sku: 'book-small', stock: 3, asked: 4 }] },
    ],
    [
      'no stock',
      { items: [{ sku: 'poster', quantity: 1 }] },
      409,
      'out-of-stock',
      { items: [{ sku: 'poster', stock: 0, asked: 1 }] },
    ],
    [
      'too little stock over two lines',
      {
        items: [
          { sku: 'book-small', quantity: 2 },
          { sku: 'book-small', quantity: 2 },
        ],
      },
      409,
      'out-of-stock',
      {},
    ],
    [
      'an unknown item',
      {
        items: [
          { sku: 'mug-blue', quantity: 1 },
          { sku: 'mug-green', quantity: 1 },
        ],
      },
      422,
      'sku-unknown',
      { skus: ['mug-green'] },
    ],
  ];

  it.each(cases)('%s', async (what, changes, status, code, more) => {
    const before = [await stock('mug-blue'), await stock('book-small')];
    const first = await world.checkout(what, changes);
    expect(first.json).toMatchObject({ status, code, retryable: false, sameKeySafe: false, ...more });
    expect(first.status).toBe(status);
    const id = first.headers.get('location')?.split('/').at(-1) as string;
    expect(first.json.operationUrl).toBe(`/v1/operations/${id}`);
    const effects = await effectsOf(world, what);
    expect(effects.receipts).toBe(0);
    expect(effects.orders.filter((state) => state !== 'released')).toEqual([]);
    expect(effects.payments).not.toContain('payment_intent.captured');
    expect([await stock('mug-blue'), await stock('book-small')]).toEqual(before);

    const calls = await asked(id);
    for (let n = 0; n < 3; n += 1) replayOf(first, await world.checkout(what, changes));
    expect(await asked(id)).toBe(calls);
    expect(await effectsOf(world, what)).toEqual(effects);
    expect(await world.state(id)).toBe('refused');
  });

  it('a cart that has been paid', async () => {
    await world.checkout('payer', { cartId: 'paid-cart' });
    const late = await world.checkout('late', { cartId: 'paid-cart' });
    expect([late.status, late.json.code, late.json.sameKeySafe]).toEqual([409, 'cart-already-paid', false]);
    replayOf(late, await world.checkout('late', { cartId: 'paid-cart' }));
    expect(await effectsOf(world, 'late')).toEqual({ operations: 1, orders: [], receipts: 0, payments: [] });
    expect(await effectsOf(world, 'payer')).toEqual(paidOnce);
  });

  it('and the same cart may be paid with another card and another key', async () => {
    const books = { cartId: 'changes-card', items: [{ sku: 'book-small', quantity: 3 }] };
    const declined = await world.checkout('card-1', { ...books, paymentMethod: 'pm_card_chargeDeclinedLostCard' });
    expect(declined.status).toBe(402);
    const paid = await world.checkout('card-2', books);
    expect([paid.status, paid.json.amount]).toEqual([201, { minor: 3 * 1990, currency: 'eur' }]);
    replayOf(declined, await world.checkout('card-1', { ...books, paymentMethod: 'pm_card_chargeDeclinedLostCard' }));
    expect(await stock('book-small')).toBe(0);
    await world.sql(`update hapax.catalogue_item set stock = 3 where sku = 'book-small'`);
  });
});

describe('any stored answer leaves byte for byte', () => {
  const json = { 'content-type': 'application/json; charset=utf-8' };
  const cases: [what: string, status: number, headers: Record<string, string>, body: Buffer][] = [
    ['204 without a body', 204, {}, Buffer.alloc(0)],
    ['200 with an empty body', 200, json, Buffer.alloc(0)],
    ['null', 200, json, Buffer.from('null')],
    ['false', 200, json, Buffer.from('false')],
    ['0', 200, json, Buffer.from('0')],
    ['an empty string', 200, json, Buffer.from('""')],
    ['an empty list', 200, json, Buffer.from('[]')],
    ['JSON with white space and members in its own order', 200, json, Buffer.from('{ "z":1,\n "a": 1.0e0 }\r\n')],
    [
      'binary',
      200,
      { 'content-type': 'application/octet-stream' },
      Buffer.from(Array.from({ length: 256 }, (_, n) => n)),
    ],
    ['Latin-1', 200, { 'content-type': 'text/plain; charset=iso-8859-1' }, Buffer.from('caf\u00e9', 'latin1')],
    [
      '201 with Location and ETag',
      201,
      { ...json, location: '/v1/orders/1', etag: '"7"', 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT' },
      Buffer.from('{}'),
    ],
    ['303', 303, { location: '/v1/orders/1' }, Buffer.alloc(0)],
    ['422', 422, { 'content-type': 'application/problem+json; charset=utf-8' }, Buffer.from('{"code":"x"}')],
    ['a megabyte', 200, json, Buffer.from(`"${'x'.repeat(1_000_000)}"`)],
  ];

  it.each(cases)('%s', async (what, status, headers, body) => {
    const key = `stored ${what.replaceAll(',', '')}`;
    expect((await world.checkout(key)).status).toBe(201);
    await world.sql(
      'update hapax.operation set answer_status = $2, answer_headers = $3, answer_body = $4 where key = $1',
      key,
      status,
      headers,
      body,
    );
    const response = await fetch(`${(world.doors[0] as { address: string }).address}/v1/checkouts`, {
      method: 'POST',
      redirect: 'manual',
      headers: { authorization: 'Bearer local-alpha', 'idempotency-key': key, 'content-type': 'application/json' },
      body: JSON.stringify(world.cart(key)),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(response.status).toBe(status);
    expect(bytes.equals(body)).toBe(true);
    for (const [name, value] of Object.entries(headers)) expect(response.headers.get(name)).toBe(value);
    if (headers['content-type'] === undefined) expect(response.headers.get('content-type')).toBeNull();
    expect(response.headers.get('idempotent-replayed')).toBe('true');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await effectsOf(world, key)).toEqual(paidOnce);
  });

  it('also when the resource has been deleted since', async () => {
    const first = await world.checkout('deleted-since');
    await world.sql('delete from hapax.order_line where order_id = $1', first.json.orderId);
    await world.sql('delete from hapax.customer_order where id = $1', first.json.orderId);
    await world.sql('delete from hapax.outbox where operation_id = $1', first.json.id);
    replayOf(first, await world.checkout('deleted-since'));
    const { orders, receipts, payments } = await effectsOf(world, 'deleted-since');
    expect({ orders, receipts, payments }).toEqual({ orders: [], receipts: 0, payments: paidOnce.payments });
  });
});

describe('an answer says', () => {
  it('what it is, whose it is, how long it is kept, and that nobody else may keep it', async () => {
    const first = await world.checkout('headers');
    const again = await world.checkout('headers');
    replayOf(first, again);
    const [row] = await world.sql<{ expires: Date }>(
      `select answer_expires_at as expires from hapax.operation where key = 'headers'`,
    );
    for (const answer of [first, again]) {
      expect(answer.headers.get('idempotency-key')).toBe('headers');
      expect(answer.headers.get('idempotency-expires')).toBe(row?.expires.toUTCString());
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(answer.headers.get('location')).toBe(`/v1/operations/${first.json.id}`);
      expect(answer.headers.get('hapax-workflow-id')).toContain('/headers');
    }
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(first.headers.get('original-request')).toBeNull();
    const days = ((row?.expires.getTime() ?? 0) - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.9);
    expect(days).toBeLessThan(30.1);
  });

  it('to pages of the origins that are allowed what they may read, and nothing to others', async () => {
    const answer = await world.checkout('cors', {}, { headers: { origin } });
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
    const exposed = answer.headers.get('access-control-expose-headers')?.toLowerCase().split(', ') ?? [];
    for (const name of [
      'Idempotency-Key',
      'Idempotency-Status',
      'Idempotency-Expires',
      'Idempotent-Replayed',
      'Original-Request',
      'Location',
      'Retry-After',
    ])
      expect(exposed).toContain(name.toLowerCase());
    const stranger = await world.checkout('cors', {}, { headers: { origin: 'https://evil.example' } });
    expect(stranger.headers.get('access-control-allow-origin')).not.toBe('https://evil.example');
    expect(stranger.headers.get('access-control-allow-origin')).not.toBe('*');
  });

  it('to a browser that asks first which headers it may send, without a token and without a trace', async () => {
    const headers = {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,idempotency-key,prefer',
    };
    const answer = await world.ask('OPTIONS', '/v1/checkouts', { token: null, headers });
    expect(answer.status).toBe(204);
    expect(answer.headers.get('access-control-allow-headers')).toContain('idempotency-key');
    const { paths } = (await world.ask('GET', '/openapi.json')).json as { paths: Record<string, object> };
    const used = new Set(
      Object.values(paths).flatMap((path) => Object.keys(path).map((method) => method.toUpperCase())),
    );
    const allowed = answer.headers.get('access-control-allow-methods')?.split(/, ?/) ?? [];
    expect([...used].filter((method) => !allowed.includes(method))).toEqual([]);
    // Whoever asks what there is, and is no browser, is told no less politely.
    expect((await world.ask('OPTIONS', '/v1/checkouts', { token: null })).status).toBe(204);
  });

  it('the same in the ledger’s view of the operation', async () => {
    const first = await world.checkout('viewed');
    const view = await world.ask('GET', first.headers.get('location') as string);
    const { id, state, ...result } = first.json as Record<string, unknown>;
    expect(view.json).toMatchObject({ id, state, key: 'viewed', flow: 'checkout', generation: 1, result });
    // One each, unless a busy machine has cost a try its answer.
    const tries = new Map(
      (
        await world.sql<{ name: string; attempt: number }>(
          'select name, attempt from hapax.step where operation_id = $1',
          id,
        )
      ).map(({ name, attempt }) => [name, attempt]),
    );
    expect([...tries.keys()].toSorted()).toEqual(['authorise', 'capture', 'complete', 'openPayment', 'reserve']);
    expect(
      view.json.steps.map((step: { name: string; state: string; attempts: number }) => [
        step.name,
        step.state,
        step.attempts,
      ]),
    ).toEqual([
      ...['reserve', 'openPayment', 'authorise'].map((name) => [name, 'done', tries.get(name)]),
      // Nobody had to be asked.
      ...['authenticate', 'decide'].map((name) => [name, 'skipped', 0]),
      ...['capture', 'complete'].map((name) => [name, 'done', tries.get(name)]),
    ]);
    const refused = await world.checkout('viewed-refused', { items: [{ sku: 'poster', quantity: 1 }] });
    const { problem } = (await world.ask('GET', refused.headers.get('location') as string)).json;
    expect(problem).toEqual(refused.json);
  });
});
