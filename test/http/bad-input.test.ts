import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { allEffects, effectsOf, paidOnce } from '../conformance/effects.ts';
import { World } from '../support/world.ts';
import { exchange, type RawRequest, rawRequest } from './raw-exchange.ts';

let world: World;
let address: string;
beforeAll(async () => {
  world = await World.create(inject('ground'), { workers: 1, upkeep: false });
  address = (world.doors[0] as { address: string }).address;
});
afterAll(() => world.close());

/**
 * Nobody waits longer than this for a refusal. The slowest comes after nine seconds; what is not bounded here ends after a minute
 * or five, Node's own limits. Others share the processor. Milliseconds.
 */
const longest = 30_000;

type Case = readonly [what: string, request: RawRequest | Buffer, status: number, code: string, names: string | RegExp];

const cart = { cartId: 'bad', items: [{ sku: 'mug-blue', quantity: 1 }], paymentMethod: 'pm_card_visa' };
const key = ['Idempotency-Key', 'bad-input'] as const;

/** A checkout with this body, which is JSON already where it is a text. */
function body(content: unknown, ...headers: (readonly [string, string])[]): RawRequest {
  const text = typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content);
  return { headers: [key, ...headers], body: text };
}
const changed = (changes: Record<string, unknown>): RawRequest => body({ ...cart, ...changes });
const refund = (changes: Record<string, unknown>): RawRequest => ({
  ...body({ checkout: `op_${'0'.repeat(26)}`, ...changes }),
  path: '/v1/refunds',
});
const line = (quantity: string): RawRequest =>
  body(JSON.stringify({ ...cart, items: [{ sku: 'mug-blue', quantity: '?' }] }).replace('"?"', quantity));
const get = (path: string): RawRequest => ({ method: 'GET', path });
const list = (query: string): RawRequest => get(`/v1/operations?${query}`);
const after = (text: string): RawRequest => list(`after=${Buffer.from(text).toString('base64url')}`);
const wire = (text: string): Buffer => Buffer.from(text, 'latin1');
const frame = (lines: readonly string[], content = ''): Buffer =>
  wire(
    [
      'POST /v1/checkouts HTTP/1.1',
      'Host: door',
      'Authorization: Bearer local-alpha',
      'Idempotency-Key: bad-input',
      'Content-Type: application/json',
      ...lines,
      '',
      content,
    ].join('\r\n'),
  );
const whole = JSON.stringify(cart);
const typed = frame([`Content-Length: ${whole.length}`], whole).toString('latin1');
const untyped = wire(typed.replace('Content-Type: application/json\r\n', ''));

async function refused([what, request, status, code, names]: Case): Promise<void> {
  const before = await allEffects(world);
  const begun = performance.now();
  const [answer] = await exchange(address, Buffer.isBuffer(request) ? request : rawRequest(request), 1, longest);
  expect(performance.now() - begun, what).toBeLessThan(longest);
  if (answer === undefined) throw new Error('no answer');
  expect([answer.status, answer.body.toString()], what).toEqual([status, expect.stringContaining(`"code":"${code}"`)]);
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
  const problem = JSON.parse(answer.body.toString()) as Record<string, unknown>;
  expect(problem).toMatchObject({ status, code, docUrl: `/problems/${code}`, requestId: expect.any(String) });
  expect(problem.detail).toMatch(names);
  expect(await allEffects(world)).toEqual(before);
}

describe('a body that can be read in two ways, or in none, is refused, and nothing is written', () => {
  const cases: Case[] = [
    ['a member twice', body(`{"cartId":"a",${whole.slice(1)}`), 400, 'body-malformed', 'cartId'],
    ['a member twice by escape', body(`{"cart\\u0049d":"a",${whole.slice(1)}`), 400, 'body-malformed', 'cartId'],
    [
      'a member of an item twice',
      body(whole.replace('"quantity":1', '"quantity":1,"quantity":2')),
      400,
      'body-malformed',
      'quantity',
    ],
    ['__proto__', body(`{"__proto__":{"state":"paid"},${whole.slice(1)}`), 400, 'body-malformed', '__proto__'],
    ['__proto__ by escape', body(`{"\\u005f_proto__":1,${whole.slice(1)}`), 400, 'body-malformed', '__proto__'],
    ['constructor', changed({ constructor: { prototype: {} } }), 400, 'request-invalid', 'constructor'],
    ['10,000 levels', body('['.repeat(10_000) + ']'.repeat(10_000)), 400, 'body-malformed', '32 levels'],
    ['100,000 levels', body('['.repeat(100_000) + ']'.repeat(100_000)), 413, 'body-too-large', '65536'],
    ['10,000 open objects', body('{"a":'.repeat(10_000)), 400, 'body-malformed', '32 levels'],
    ['NUL in a string', changed({ cartId: 'a\0b' }), 400, 'body-malformed', 'NUL'],
    ['NUL in a name', changed({ 'a\0': 1 }), 400, 'body-malformed', 'NUL'],
    ['NUL as a byte', body(whole.replace('bad', 'b\0d')), 400, 'body-malformed', 'JSON'],
    ['half a surrogate pair', body(whole.replace('bad', '\\ud83d')), 400, 'body-malformed', 'surrogate'],
    ['the other half', body(whole.replace('bad', '\\ude00')), 400, 'body-malformed', 'surrogate'],
    ['halves in the wrong order', body(whole.replace('bad', '\\ude00\\ud83d')), 400, 'body-malformed', 'surrogate'],
    ['bytes that are no UTF-8', body(Buffer.from([0x22, 0xff, 0x22])), 400, 'body-malformed', 'UTF-8'],
    ['an overlong slash', body(Buffer.from([0x22, 0xc0, 0xaf, 0x22])), 400, 'body-malformed', 'UTF-8'],
    ['UTF-16', body(Buffer.from(whole, 'utf16le')), 400, 'body-malformed', 'JSON'],
    [
      'nothing',
      { headers: [key, ['content-type', 'application/json'], ['content-length', '0']] },
      400,
      'body-malformed',
      'JSON',
    ],
    ['no body at all', { headers: [key] }, 400, 'body-malformed', 'has no body: send a JSON object'],
    ['no type', untyped, 415, 'media-type-unsupported', 'no Content-Type: send JSON, as application/json'],
    ['an empty type', body(whole, ['content-type', '']), 415, 'media-type-unsupported', 'is not a media type'],
    ['a blank', body(' '), 400, 'body-malformed', 'JSON'],
    ['half of it', body(whole.slice(0, 30)), 400, 'body-malformed', 'JSON'],
    ['two of it', body(whole + whole), 400, 'body-malformed', 'JSON'],
    ['a trailing comma', body(`${whole.slice(0, -1)},}`), 400, 'body-malformed', 'JSON'],
    ['a comment', body(`/* */${whole}`), 400, 'body-malformed', 'JSON'],
    ['single quotes', body(whole.replaceAll('"', "'")), 400, 'body-malformed', 'JSON'],
    ['NaN', line('NaN'), 400, 'body-malformed', 'JSON'],
    ['a leading zero', line('01'), 400, 'body-malformed', 'JSON'],
    ['a plus', line('+1'), 400, 'body-malformed', 'JSON'],
    ['hexadecimal', line('0x1'), 400, 'body-malformed', 'JSON'],
    ['64 KiB and a byte', body(' '.repeat(64 * 1024) + whole), 413, 'body-too-large', '65536'],
    [
      'a gigabyte, announced',
      { headers: [key, ['content-type', 'application/json'], ['content-length', '1000000000']] },
      413,
      'body-too-large',
      '65536',
    ],
    [
      'a gigabyte, unannounced',
      Buffer.concat([
        frame(['Transfer-Encoding: chunked']),
        wire('10000\r\n'.concat(' '.repeat(65_536), '\r\n').repeat(16)),
      ]),
      413,
      'body-too-large',
      '65536',
    ],
    [
      'a gzip bomb',
      body(gzipSync(Buffer.alloc(20_000_000, ' ')), ['content-encoding', 'gzip']),
      413,
      'body-too-large',
      '65536',
    ],
    [
      'a gzip that is cut',
      body(gzipSync(whole).subarray(0, 40), ['content-encoding', 'gzip']),
      400,
      'body-malformed',
      'gzip',
    ],
    ['what is no gzip', body(whole, ['content-encoding', 'gzip']), 400, 'body-malformed', 'gzip'],
    [
      'a gzip in a gzip',
      body(gzipSync(gzipSync(whole)), ['content-encoding', 'gzip, gzip']),
      415,
      'media-type-unsupported',
      'Content-Encoding',
    ],
    [
      'an unknown encoding',
      body(whole, ['content-encoding', 'br']),
      415,
      'media-type-unsupported',
      'Content-Encoding br',
    ],
    ['text', body(whole, ['content-type', 'text/plain']), 415, 'media-type-unsupported', 'Content-Type'],
    [
      'a form',
      body('cartId=a', ['content-type', 'application/x-www-form-urlencoded']),
      415,
      'media-type-unsupported',
      'Content-Type',
    ],
    [
      'multipart',
      body('--x--', ['content-type', 'multipart/form-data; boundary=x']),
      415,
      'media-type-unsupported',
      'Content-Type',
    ],
    ['XML', body('<cart/>', ['content-type', 'application/xml']), 415, 'media-type-unsupported', 'Content-Type'],
    ['another JSON', body(whole, ['content-type', 'application/jsonx']), 415, 'media-type-unsupported', 'Content-Type'],
    ['a type that is none', body(whole, ['content-type', '////']), 415, 'media-type-unsupported', 'Content-Type'],
  ];
  it.each(cases)('%s', async (...one) => refused(one));
});

describe('an HTML form that can be read in two ways, or names no key or two, is refused, and nothing is written', () => {
  const filled = 'email=ann%40example.com&password=correct+horse+battery';
  const form = (text: string | Buffer, ...headers: (readonly [string, string])[]): RawRequest => ({
    path: '/v1/signups',
    headers: [['content-type', 'application/x-www-form-urlencoded'], ...headers],
    body: text,
  });
  const cases: Case[] = [
    ['no key', form(filled), 400, 'key-missing', 'as the field idempotency_key or the header'],
    ['an empty key', form(`${filled}&idempotency_key=`), 400, 'key-malformed', 'The field idempotency_key is empty'],
    ['two keys', form(`${filled}&idempotency_key=other`, key), 400, 'key-malformed', 'differ: send one key'],
    ['a key twice', form(`${filled}&idempotency_key=a&idempotency_key=a`), 400, 'body-malformed', 'idempotency_key'],
    [
      'an address as its key',
      form(`${filled}&idempotency_key=a%40b.com`),
      400,
      'key-personal',
      'The field idempotency_key',
    ],
    ['a list of keys', form(`${filled}&idempotency_key=a%2Cb`), 400, 'key-malformed', 'two keys'],
    ['a field twice', form(`${filled}&email=bob%40example.com`, key), 400, 'body-malformed', 'email'],
    ['a field twice by escape', form(`${filled}&%65mail=bob%40example.com`, key), 400, 'body-malformed', 'email'],
    ['a field nobody declared', form(`${filled}&admin=true`, key), 400, 'request-invalid', 'admin'],
    ['__proto__', form(`${filled}&__proto__=x`, key), 400, 'body-malformed', '__proto__'],
    [
      'an empty field that is needed',
      form('email=ann%40example.com&password=', key),
      400,
      'request-invalid',
      'password',
    ],
    ['an escape that is cut', form(`${filled}%4`, key), 400, 'body-malformed', 'UTF-8'],
    ['an escape that is no UTF-8', form(`${filled}%ff`, key), 400, 'body-malformed', 'UTF-8'],
    ['bytes that are no UTF-8', form(Buffer.from([0x61, 0x3d, 0xff]), key), 400, 'body-malformed', 'UTF-8'],
    ['NUL', form(`${filled}%00`, key), 400, 'body-malformed', 'NUL'],
    ['JSON', form(JSON.stringify({ email: 'ann@example.com' }), key), 400, 'request-invalid', /./],
    ['64 KiB and more', form(`${filled}&name=${'x'.repeat(65_536)}`, key), 413, 'body-too-large', '65536'],
    ['nothing', { ...form('', ['content-length', '0']) }, 400, 'key-missing', 'key'],
    ['no body at all', form(''), 400, 'key-missing', 'key'],
  ];
  it.each(cases)('%s', async (...one) => refused(one));
});

it.each([
  ['Content-Type', 'application/json', 'text/plain'],
  ['Content-Encoding', 'gzip', 'br'],
])('another %s than is taken is told together with the one that is', async (header, expected, actual) => {
  const [answer] = await exchange(address, rawRequest(body(whole, [header, actual])));
  expect(JSON.parse(String(answer?.body))).toMatchObject({ status: 415, header, expected, actual });
});

it('a body with several faults is told the first, and how many more there are', async () => {
  const [answer] = await exchange(address, rawRequest(changed({ cartId: 1, items: [], paymentMethod: 2 })));
  const { detail, errors } = JSON.parse(String(answer?.body)) as { detail: string; errors: unknown[] };
  expect(detail).toMatch(/^Field cartId: .* \(and 2 more\)$/);
  expect(errors).toHaveLength(3);
});

describe('a request that does not fit its schema is refused with its field, and nothing is written', () => {
  const cases: Case[] = [
    ...[
      'null',
      'true',
      '"1"',
      '[1]',
      '{}',
      '1.5',
      '1e-7',
      '0',
      '-0',
      '-1',
      '1001',
      '1e400',
      '-1e400',
      '9007199254740993',
      '1e308',
    ].map((quantity) => [`quantity ${quantity}`, line(quantity), 400, 'request-invalid', 'items.0.quantity'] as const),
    ...[null, 42, true, [], ['a'], {}, '', 'c'.repeat(201)].map(
      (cartId) =>
        [
          `cartId ${JSON.stringify(cartId).slice(0, 20)}`,
          changed({ cartId }),
          400,
          'request-invalid',
          'cartId',
        ] as const,
    ),
    ...[
      null,
      1,
      'mug-blue',
      {},
      { sku: 'mug-blue', quantity: 1 },
      [],
      Array.from({ length: 101 }, () => cart.items[0]),
    ].map(
      (items) =>
        [`items ${JSON.stringify(items).slice(0, 20)}`, changed({ items }), 400, 'request-invalid', 'items'] as const,
    ),
    ...[
      [null],
      [[]],
      ['mug-blue'],
      [{ sku: 'mug-blue' }],
      [{ quantity: 1 }],
      [{ sku: '', quantity: 1 }],
      [{ sku: ['mug-blue'], quantity: 1 }],
    ].map(
      (items) => [`items ${JSON.stringify(items)}`, changed({ items }), 400, 'request-invalid', 'items.0'] as const,
    ),
    [
      'a price from the client',
      changed({ items: [{ sku: 'mug-blue', quantity: 1, price: 1 }] }),
      400,
      'request-invalid',
      'price',
    ],
    ...['amount', 'state', 'tenant', 'currency', 'id', 'environment', 'subject', 'operation', 'orderId', 'key'].map(
      (field) => [`a field ${field}`, changed({ [field]: 'x' }), 400, 'request-invalid', field] as const,
    ),
    ...[
      '',
      'pm_',
      '4242424242424242',
      '4242-4242-4242-4242',
      'card_4242424242424242',
      'VISA4242-4242-4242-4242',
      'x4242_42424242_4242',
      'pm_card visa',
      'pm_card_visa\n',
      'pm_<script>',
      `pm_${'a'.repeat(253)}`,
      '../pm_card_visa',
    ].map(
      (paymentMethod) =>
        [
          `paymentMethod ${JSON.stringify(paymentMethod).slice(0, 20)}`,
          changed({ paymentMethod }),
          400,
          'request-invalid',
          'paymentMethod',
        ] as const,
    ),
    ...[
      '',
      'ann',
      'ann@',
      '@example.com',
      'a b@example.com',
      'ann@-example.com',
      'ann@example..com',
      'ann@example_1.com',
      `ann@${'a'.repeat(64)}.com`,
      '"ann"@example.com',
      'ann@[192.0.2.1]',
      'аnn@example.com',
      'ann@\u202Eexample.com',
      `${'a'.repeat(250)}@example.com`,
      'ann@example.com\r\nBcc: bob@example.com',
    ].map(
      (email) =>
        [`email ${JSON.stringify(email).slice(0, 30)}`, changed({ email }), 400, 'request-invalid', 'email'] as const,
    ),
    ...[null, 1, '', 'EUR', 'euro', 'e r', ['eur']].map(
      (currency) =>
        [
          `currency ${JSON.stringify(currency)}`,
          changed({ currency }),
          400,
          'request-invalid',
          "Field currency: give a currency's three letters in lower case, such as 'eur'",
        ] as const,
    ),
    ...[null, 1, true, '', 'P'.repeat(101), ['WELCOME10']].map(
      (promo) =>
        [
          `promo ${JSON.stringify(promo).slice(0, 20)}`,
          changed({ promo }),
          400,
          'request-invalid',
          'Field promo: give a promo code of 1 to 100 characters, or leave it out',
        ] as const,
    ),
    ...[null, 500, '5.00', [500, 'eur']].map(
      (amount) =>
        [
          `amount ${JSON.stringify(amount)}`,
          refund({ amount }),
          400,
          'request-invalid',
          'Field amount: give an amount such as {"minor": 500, "currency": "eur"}, or leave it out to give back all that is left',
        ] as const,
    ),
    ...[undefined, null, 0, -1, 5.5, '500', 1e300].map(
      (minor) =>
        [
          `amount.minor ${JSON.stringify(minor)}`,
          refund({ amount: { minor, currency: 'eur' } }),
          400,
          'request-invalid',
          'Field amount.minor: give whole minor units, 1 or more: 500 are 5.00 EUR',
        ] as const,
    ),
    ...[undefined, 1, 'EUR'].map(
      (currency) =>
        [
          `amount.currency ${JSON.stringify(currency)}`,
          refund({ amount: { minor: 500, currency } }),
          400,
          'request-invalid',
          "Field amount.currency: give a currency's three letters in lower case, such as 'eur'",
        ] as const,
    ),
    [
      'an amount with more than an amount has',
      refund({ amount: { minor: 500, currency: 'eur', major: 5 } }),
      400,
      'request-invalid',
      /^Field amount: .*"major"/,
    ],
    ['an array for the whole', body([cart]), 400, 'request-invalid', 'The body'],
    ['a text for the whole', body('"cart"'), 400, 'request-invalid', 'The body'],
    ['null for the whole', body('null'), 400, 'request-invalid', 'The body'],
    ['an empty object', body('{}'), 400, 'request-invalid', 'cartId'],
  ];
  it.each(cases)('%s', async (...one) => refused(one));
});

describe('a question that cannot be answered is refused with what to mend', () => {
  const valid = `2026-01-01T00:00:00.000Z op_${'0'.repeat(26)}`;
  const cases: Case[] = [
    ['an unknown path', get('/v1/nothing'), 404, 'not-found', 'nothing at this path'],
    ['a path out of the tree', get('/v1/operations/../../etc/passwd'), 404, 'not-found', ''],
    ['a path that cannot be decoded', get('/v1/operations/%ff'), 404, 'not-found', 'decoded'],
    ['half an escape', get('/v1/operations/%'), 404, 'not-found', 'decoded'],
    ['an id with NUL', get('/v1/operations/%00'), 400, 'request-invalid', 'id'],
    ['an id of another form', get('/v1/operations/1'), 400, 'request-invalid', 'id'],
    ['an id in capitals', get(`/v1/operations/OP_${'0'.repeat(26)}`), 400, 'request-invalid', 'id'],
    ['an id of 300 characters', get(`/v1/operations/${'a'.repeat(300)}`), 400, 'request-invalid', 'id'],
    ['an id of 5,000 characters', get(`/v1/operations/${'a'.repeat(5_000)}`), 404, 'not-found', ''],
    ['an id of nobody', get(`/v1/operations/op_${'0'.repeat(26)}`), 404, 'not-found', 'no such operation'],
    ['a problem of nobody', get('/problems/__proto__'), 404, 'not-found', 'no such problem'],
    ['an unknown parameter', list('tenant=beta'), 400, 'request-invalid', 'Query tenant: there is no such parameter'],
    ['three faults at once', list('tenant=beta&state=paid&limit=0'), 400, 'request-invalid', /\(and 2 more\)$/],
    ...['0', '1000000000', 'ten', '0.5', '-1', '1&limit=2', '', 'NaN', '1e400'].map(
      (limit) =>
        [
          `a limit of ${limit}`,
          list(`limit=${limit}`),
          400,
          'request-invalid',
          /^Query limit: give a whole number from 1 to 200$/,
        ] as const,
    ),
    ['an unknown flow', list('flow=chekout'), 400, 'request-invalid', /^Query flow: .*"checkout"\|.*"upload"/],
    ['an unknown state', list('state=paid'), 400, 'request-invalid', 'state'],
    ['a key twice', list('key=a&key=b'), 400, 'request-invalid', 'key'],
    ['a key of 256 characters', list(`key=${'k'.repeat(256)}`), 400, 'request-invalid', 'key'],
    ['a key with NUL', list('key=a%00b'), 400, 'request-invalid', 'key'],
    ['a flow with NUL', list('flow=%00'), 400, 'request-invalid', 'flow'],
    ['a cursor of nothing', list('after=%00'), 400, 'request-invalid', 'after'],
    ['a cursor that is none', list('after=next'), 400, 'request-invalid', 'after'],
    ['a cursor with another date', after(`1 op_${'0'.repeat(26)}`), 400, 'request-invalid', 'after'],
    ['a cursor on a day that there is not', after(valid.replace('01-01', '02-30')), 400, 'request-invalid', 'after'],
    ['a cursor in no month', after(valid.replace('01-01', '99-99')), 400, 'request-invalid', 'after'],
    ['a cursor at the end of time', after(valid.replace('2026', '+275760')), 400, 'request-invalid', 'after'],
    ['a cursor in SQL', after(`2026-01-01'||pg_sleep(9)||' op_${'0'.repeat(26)}`), 400, 'request-invalid', 'after'],
    ['a cursor with another id', after('2026-01-01T00:00:00.000Z op_1'), 400, 'request-invalid', 'after'],
    ['a cursor with more', after(`${valid} more`), 400, 'request-invalid', 'after'],
    ['a cancel of nobody', { path: `/v1/operations/op_${'0'.repeat(26)}/cancel` }, 404, 'not-found', 'no such'],
  ];
  it.each(cases)('%s', async (...one) => refused(one));

  it.each([
    ['limit', list('limit=0')],
    ['state', list('state=paid')],
    ['flow', list('flow=%00')],
    ['after', list('after=next')],
    ['tenant', list('tenant=beta')],
    ['id', get('/v1/operations/1')],
  ])('%s is named to programs too', async (parameter, request) => {
    const [answer] = await exchange(address, rawRequest(request));
    const told = JSON.parse(String(answer?.body)) as { errors: unknown };
    expect(told).toMatchObject({ parameter });
    expect(told.errors).toEqual([{ parameter, detail: expect.stringMatching(/./) }]);
  });

  it.each([
    ['GET', '/v1/keys', 'OPTIONS, POST'],
    ['PUT', '/v1/checkouts', 'GET, HEAD, OPTIONS, POST'],
    ['DELETE', '/v1/checkouts', 'GET, HEAD, OPTIONS, POST'],
    ['PATCH', '/v1/checkouts', 'GET, HEAD, OPTIONS, POST'],
    ['POST', '/v1/operations', 'GET, HEAD, OPTIONS'],
    ['DELETE', `/v1/operations/op_${'0'.repeat(26)}`, 'GET, HEAD, OPTIONS'],
    ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
  ])('%s %s with the methods that are allowed: %s', async (method, path, allow) => {
    const [answer] = await exchange(address, rawRequest({ method, path }));
    expect([answer?.status, answer?.headers.allow?.split(', ').toSorted().join(', ')]).toEqual([405, allow]);
    expect(answer?.body.toString()).toContain('"code":"method-not-allowed"');
  });
});

describe('a request that is not HTTP, or is HTTP in two ways, is refused, and nothing is written', () => {
  const chunked = `${whole.length.toString(16)}\r\n${whole}\r\n0\r\n\r\n`;
  const cases: Case[] = [
    [
      'a length and chunks',
      frame([`Content-Length: ${whole.length}`, 'Transfer-Encoding: chunked'], chunked),
      400,
      'http-malformed',
      'HTTP',
    ],
    [
      'chunks and a length',
      frame(['Transfer-Encoding: chunked', 'Content-Length: 4'], chunked),
      400,
      'http-malformed',
      'HTTP',
    ],
    [
      'two lengths',
      frame([`Content-Length: ${whole.length}`, 'Content-Length: 4'], whole),
      400,
      'http-malformed',
      'HTTP',
    ],
    ['a list of lengths', frame([`Content-Length: ${whole.length}, 4`], whole), 400, 'http-malformed', 'HTTP'],
    ['a length below zero', frame(['Content-Length: -1'], whole), 400, 'http-malformed', 'HTTP'],
    ['a length in hexadecimal', frame(['Content-Length: 0x10'], whole), 400, 'http-malformed', 'HTTP'],
    ['an obfuscated encoding', frame(['Transfer-Encoding: xchunked'], chunked), 400, 'http-malformed', 'HTTP'],
    ['two encodings', frame(['Transfer-Encoding: chunked, identity'], chunked), 400, 'http-malformed', 'HTTP'],
    ...['gzip, chunked', 'identity, chunked', 'GZIP , Chunked'].map((coding): Case => {
      const bytes = frame([`Transfer-Encoding: ${coding}`], chunked);
      return [`the transfer coding ${coding}`, bytes, 501, 'transfer-coding-unsupported', 'plain'];
    }),
    [
      'a transfer coding in a line of its own',
      frame(['Transfer-Encoding: gzip', 'Transfer-Encoding: chunked'], chunked),
      501,
      'transfer-coding-unsupported',
      'gzip',
    ],
    ['chunks of chunks', frame(['Transfer-Encoding: chunked, chunked'], chunked), 400, 'http-malformed', ''],
    ['chunks inside', frame(['Transfer-Encoding: chunked, gzip, chunked'], chunked), 400, 'http-malformed', ''],
    ['a coding that is no framing', frame(['Transfer-Encoding: identity'], whole), 400, 'http-malformed', 'HTTP'],
    [
      'a coding and a length',
      frame([`Content-Length: ${whole.length}`, 'Transfer-Encoding: gzip, chunked'], chunked),
      400,
      'http-malformed',
      'HTTP',
    ],
    [
      'chunks in HTTP/1.0',
      wire(frame(['Transfer-Encoding: chunked'], chunked).toString('latin1').replace('HTTP/1.1', 'HTTP/1.0')),
      400,
      'http-malformed',
      'HTTP/1.0 has no Transfer-Encoding',
    ],
    ['a chunk that is none', frame(['Transfer-Encoding: chunked'], 'zz\r\n'), 400, 'http-malformed', 'HTTP'],
    ['a header of 20 kB', frame([`X-Large: ${'x'.repeat(20_000)}`]), 431, 'headers-too-large', '16 KiB'],
    [
      'a path of 20 kB',
      wire(`GET /${'x'.repeat(20_000)} HTTP/1.1\r\nHost: door\r\n\r\n`),
      431,
      'headers-too-large',
      '16 KiB',
    ],
    ['a blank in a name', frame(['X Name: 1']), 400, 'http-malformed', 'HTTP'],
    ['a blank behind a name', frame(['X-Name : 1']), 400, 'http-malformed', 'HTTP'],
    ['a carriage return in a name', frame(['X\rName: 1']), 400, 'http-malformed', 'HTTP'],
    ['a carriage return in a value', frame(['X-Name: a\rb']), 400, 'http-malformed', 'HTTP'],
    ['a line without a colon', frame(['X-Name']), 400, 'http-malformed', 'HTTP'],
    [
      'a folded line',
      frame(['X-Name: a', ' b', `Content-Length: ${whole.length}`], whole),
      400,
      'http-malformed',
      'HTTP',
    ],
    [
      'no host',
      wire('GET /v1/operations HTTP/1.1\r\nAuthorization: Bearer local-alpha\r\n\r\n'),
      400,
      'http-malformed',
      'Host',
    ],
    [
      'no host in HTTP/1.0, where URLs are made of it',
      wire('GET /v1/operations HTTP/1.0\r\nAuthorization: Bearer local-alpha\r\n\r\n'),
      400,
      'http-malformed',
      'Host',
    ],
    ['an expectation of one’s own', frame(['Expect: banana']), 400, 'http-malformed', 'Expect'],
    ['two hosts', frame(['Host: other']), 400, 'http-malformed', 'Host'],
    ...['', 'a b', 'x:99999', '[::1', '%zz', 'a/b', 'ü'].map((host): Case => {
      const bytes = wire(`GET /v1/operations HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer local-alpha\r\n\r\n`);
      return [`the host "${host}"`, bytes, 400, 'http-malformed', 'Host'];
    }),
    ['a method of one’s own', wire('PAY /v1/checkouts HTTP/1.1\r\nHost: door\r\n\r\n'), 400, 'http-malformed', 'HTTP'],
    ['another HTTP', wire('GET / HTTP/9.9\r\nHost: door\r\n\r\n'), 400, 'http-malformed', 'HTTP'],
    ['TLS', Buffer.from('16030100a5010000a10303', 'hex'), 400, 'http-malformed', 'HTTP'],
    ['noise', Buffer.from('\0\u0001\u0002\u0003\r\n\r\n'), 400, 'http-malformed', 'HTTP'],
  ];
  it.each(cases)('%s', async (...one) => refused(one));

  it('but health is told to load balancers that ask in HTTP/1.0 without a host', async () => {
    const [answer] = await exchange(address, wire('GET /healthz HTTP/1.0\r\n\r\n'));
    expect(answer?.status).toBe(200);
  });

  it('headers and bodies that never end are given up', async () => {
    const before = await allEffects(world);
    const slow = [
      wire('POST /v1/checkouts HTTP/1.1\r\nHost: door\r\nX-Slow: '),
      frame(['Content-Length: 500'], whole.slice(0, 20)),
      frame(['Transfer-Encoding: chunked'], '5\r\n{"car'),
      // Routes that need no body.
      ...['/v1/keys', `/v1/operations/op_${'0'.repeat(26)}/cancel`].map((path) =>
        rawRequest({ path, headers: [['content-length', '5']], body: '{' }),
      ),
    ];
    const answers = await Promise.all(slow.map((bytes) => exchange(address, bytes, 1, longest)));
    expect(answers.map(([answer]) => answer?.status)).toEqual(slow.map(() => 408));
    for (const [answer] of answers) {
      expect(answer?.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(answer?.body.toString()).toContain('"code":"request-timeout"');
    }
    expect(await allEffects(world)).toEqual(before);
  });

  it.each([
    ['what is no path', 404, wire('POST /nothing HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{')],
    ['what is no method', 405, rawRequest({ path: '/healthz', headers: [['content-length', '5']], body: '{' })],
    ['no token', 401, wire('POST /v1/keys HTTP/1.1\r\nHost: door\r\nContent-Length: 5\r\n\r\n{')],
  ] as const)('%s is answered at once, and its half body ends the connection', async (_, status, bytes) => {
    const { hostname, port } = new URL(address);
    const socket = connect(Number(port), hostname);
    const begun = performance.now();
    socket.write(bytes);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain(`HTTP/1.1 ${status} `);
    // A half that the caller keeps open is given up too.
    const caller = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    caller.on('error', () => undefined).write(bytes);
    caller.resume();
    await once(caller, 'end');
    const reset = new Promise<void>((resolve) => caller.once('close', () => resolve()));
    // Five seconds of silence end it, and each byte begins them anew. After its end a byte is answered with a reset, which the next
    // one meets.
    while (!caller.destroyed) {
      await pause(6_000);
      caller.write(' ');
      await pause(200);
      if (!caller.destroyed) caller.write(' ');
      await Promise.race([reset, pause(200)]);
    }
    // Without that, the longest time that a connection may linger would end it: half a minute.
    expect(performance.now() - begun).toBeLessThan(25_000);
    socket.destroy();
  });

  it('and the door still serves after all of it, with the key of all that was refused', async () => {
    const good = rawRequest(body(cart));
    const [paid, again] = await exchange(address, Buffer.concat([good, good]), 2);
    expect([paid?.status, again?.status]).toEqual([201, 201]);
    expect(again?.body.toString()).toBe(paid?.body.toString());
    const [goOn, last] = await exchange(address, rawRequest(body(cart, ['expect', '100-Continue'])), 2);
    expect([goOn?.status, last?.status]).toEqual([100, 201]);
    expect(last?.body.toString()).toBe(paid?.body.toString());
    expect(await effectsOf(world, 'bad-input')).toEqual(paidOnce);
    expect(await allEffects(world)).toEqual(paidOnce);
  });
});
