import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { exchange, rawRequest } from '../http/raw-exchange.ts';
import { World } from '../support/world.ts';
import { allEffects, effectsOf, paidOnce } from './effects.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'));
});
afterAll(() => world.close());

/** A checkout with header lines as they stand: fetch would refuse or repair most of these. */
async function raw(lines: readonly (readonly [string, string])[], cart: string) {
  const body = JSON.stringify(world.cart(cart));
  const address = (world.doors[0] as { address: string }).address;
  const [answer] = await exchange(address, rawRequest({ headers: lines, body }));
  if (answer === undefined) throw new Error('no answer');
  return { ...answer, text: answer.body.toString(), json: JSON.parse(answer.body.toString()) as { code: string } };
}

const key = (value: string): [string, string] => ['Idempotency-Key', value];

describe('a key that cannot be one is refused, and nothing is written', () => {
  const cases: [what: string, lines: [string, string][], code: string, status?: number][] = [
    ['is missing', [], 'key-missing'],
    ['is empty', [key('')], 'key-malformed'],
    ['is blank', [key('   ')], 'key-malformed'],
    ['is an empty quoted string', [key('""')], 'key-malformed'],
    ['has 256 characters', [key('k'.repeat(256))], 'key-malformed'],
    ['has 256 characters in quotes', [key(`"${'k'.repeat(256)}"`)], 'key-malformed'],
    ['makes headers of 17 kB', [key('k'.repeat(17_000))], 'headers-too-large', 431],
    ['holds a letter beyond ASCII', [key('cl\u00e9')], 'key-malformed'],
    ['holds UTF-8', [key(Buffer.from('ключ').toString('latin1'))], 'key-malformed'],
    ['holds a tab', [key('a\tb')], 'key-malformed'],
    ['holds a control character', [key('a\u0001b')], 'http-malformed'],
    ['holds a NUL', [key('a\0b')], 'http-malformed'],
    ['holds DEL', [key('a\u007fb')], 'http-malformed'],
    ['holds a bare line feed', [key('a\nX-Tenant: beta')], 'http-malformed'],
    ['stands on two lines', [key('one'), key('two')], 'key-malformed'],
    ['stands twice on two lines', [key('one'), key('one')], 'key-malformed'],
    ['is a list', [key('one, two')], 'key-malformed'],
    ['is a list of quoted strings', [key('"one", "two"')], 'key-malformed'],
    ['has an open quote', [key('"one')], 'key-malformed'],
    ['has a quote too much', [key('"one""')], 'key-malformed'],
    ['looks like an e-mail address', [key('ann@example.com')], 'key-personal'],
    ['looks like an e-mail address in quotes', [key('"ann@example.com"')], 'key-personal'],
    ['looks like a card number', [key('4242424242424242')], 'key-personal'],
    ['looks like a card number with spaces', [key('4242 4242 4242 4242')], 'key-personal'],
    ['looks like a card number of American Express', [key('378282246310005')], 'key-personal'],
  ];

  it.each(cases)('when it %s', async (_what, lines, code, status = 400) => {
    const before = await allEffects(world);
    const answer = await raw(lines, 'refused');
    expect(answer.status).toBe(status);
    expect(answer.json.code).toBe(code);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    if (code.startsWith('key-')) {
      expect(answer.json).toMatchObject({ header: 'Idempotency-Key', sameKeySafe: true });
      expect(answer.headers.link).toBe(`</problems/${code}>; rel="describedby"`);
    }
    expect(await allEffects(world)).toEqual(before);
  });

  it('whatever its name is written like', async () => {
    const before = await allEffects(world);
    expect((await raw([['IDEMPOTENCY-KEY', 'a,b']], 'refused')).status).toBe(400);
    expect(await allEffects(world)).toEqual(before);
  });
});

describe('a key names one operation', () => {
  it('with 255 characters', async () => {
    const long = 'k'.repeat(255);
    const [first, again] = [await raw([key(long)], 'long'), await raw([key(long)], 'long')];
    expect(first.status).toBe(201);
    expect(again.text).toBe(first.text);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(await effectsOf(world, long)).toEqual(paidOnce);
  });

  it('quoted, bare, and quoted with parameters', async () => {
    const forms = [
      'same-name',
      '"same-name"',
      '"same-name";source=till',
      '"same-name" ; a=1;b="c, d"',
      '  same-name  ',
    ];
    const answers = [];
    for (const form of forms) answers.push(await raw([key(form)], 'same-name'));
    expect(answers.map(({ status }) => status)).toEqual(forms.map(() => 201));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.map(({ headers }) => headers['idempotency-status'])).toEqual([
      'created',
      ...forms.slice(1).map(() => 'replayed'),
    ]);
    expect(await effectsOf(world, 'same-name')).toEqual(paidOnce);
  });

  it('with escapes in quotes as without', async () => {
    const bare = await raw([key('say "once"\\')], 'escaped');
    const quoted = await raw([key('"say \\"once\\"\\\\"')], 'escaped');
    expect(quoted.text).toBe(bare.text);
    expect(await effectsOf(world, 'say "once"\\')).toEqual(paidOnce);
  });

  it('that differs from one in another case', async () => {
    const [lower, upper] = await Promise.all([raw([key('case-a')], 'case-1'), raw([key('Case-A')], 'case-2')]);
    expect([lower.status, upper.status]).toEqual([201, 201]);
    expect(lower.text).not.toBe(upper.text);
    expect(await effectsOf(world, 'case-a')).toEqual(paidOnce);
    expect(await effectsOf(world, 'Case-A')).toEqual(paidOnce);
  });

  it('whatever delimiters it holds, and never somebody else’s', async () => {
    const keys = [
      'a/b',
      'a%2Fb',
      '../beta/x',
      `checkout/${world.tenants.beta}/test/default/x`,
      'x~2',
      "'; drop table hapax.operation; --",
      '{"$ne":null}',
      '"a,b"',
      '=cmd|calc',
      '<script>',
    ];
    const answers = await Promise.all(keys.map((value, n) => raw([key(value)], `delimited-${n}`)));
    expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 201));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(keys.length);
    for (const value of keys) expect(await effectsOf(world, value.replaceAll('"a,b"', 'a,b'))).toEqual(paidOnce);
    const tenants = await world.sql('select distinct tenant from hapax.operation');
    expect(tenants).toEqual([{ tenant: world.tenants.alpha }]);
  });

  it('also when it is a long number that only the check digit takes for a card', async () => {
    // 16 digits that pass Luhn and begin like no issuer: an order number.
    expect((await raw([key('9999999999999995')], 'numeric')).status).toBe(201);
    expect(await effectsOf(world, '9999999999999995')).toEqual(paidOnce);
  });

  it('that the door has issued before the action', async () => {
    const issued = await world.ask('POST', '/v1/keys');
    expect(issued.status).toBe(201);
    expect(issued.headers.get('cache-control')).toBe('no-store');
    const name = (issued.json as { key: string }).key;
    expect(await world.sql('select tenant, environment, subject from hapax.issued_key where key = $1', name)).toEqual([
      { tenant: world.tenants.alpha, environment: 'test', subject: 'default' },
    ]);
    expect((await effectsOf(world, name)).operations).toBe(0);
    const [first, again] = [await world.checkout(name), await world.checkout(name)];
    expect(first.status).toBe(201);
    expect(again.text).toBe(first.text);
    expect(await effectsOf(world, name)).toEqual(paidOnce);
  });

  it('and is echoed with the answer', async () => {
    const answer = await world.checkout('echoed');
    expect(answer.headers.get('idempotency-key')).toBe('echoed');
    expect(answer.headers.get('hapax-workflow-id')).toBe(`checkout/${world.tenants.alpha}/test/default/echoed`);
  });
});

describe('a key on a question', () => {
  it.each(['GET', 'HEAD', 'OPTIONS'])('changes nothing with %s, and its sender is told so', async (method) => {
    const before = await allEffects(world);
    const answers = await Promise.all(
      ['/v1/operations', '/healthz'].map((path) => world.ask(method, path, { key: 'question' })),
    );
    for (const answer of answers) {
      expect(answer.headers.get('idempotency-status')).toBe('ignored');
      expect(answer.status).toBeLessThan(500);
    }
    expect(await allEffects(world)).toEqual(before);
  });

  it('is not even looked at: a malformed one is ignored too', async () => {
    const answer = await world.ask('GET', '/v1/operations', { key: 'a, b' });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('idempotency-status')).toBe('ignored');
  });
});
