import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { flows } from '../../workflows/flows.ts';
import { type FailureCode, failure, failureCodes } from '../../workflows/operation/failures.ts';
import { type Answered, World } from '../support/world.ts';
import { advice } from '../../client/http/problems/advice.ts';
import { holdConfirm, release, untilHeld } from '../conformance/held.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), { upkeep: false, env: { HAPAX_ANSWER_CACHE: '0' } });
});
afterAll(() => world.close());

const codes = failureCodes(flows);

describe('each code of the failure table', () => {
  it.each(codes)('%s has a page that says what it means and what to do', async (code) => {
    const page = await world.ask('GET', `/problems/${code}`, { token: null });
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const { title, status, action, retryAfter } = failure(code);
    const said = advice[action].replace(/`([^`]+)`/g, '<code>$1</code>');
    for (const text of [code, title, String(status), `<code>${action}</code>`, said]) expect(page.text).toContain(text);
    if (retryAfter !== undefined) expect(page.text).toContain(`${retryAfter} s`);
  });

  it('is in the list of all of them', async () => {
    const list = await world.ask('GET', '/problems', { token: null });
    for (const code of codes) expect(list.text).toContain(`/problems/${code}"`);
  });

  it.each(codes)('%s contradicts itself nowhere', (code) => {
    const { status, retryable, sameKeySafe, action, retryAfter } = failure(code);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(600);
    // Where waiting or repeating is the advice the same key must do, or the second try would be a second operation.
    if (action === 'wait' || action === 'retry') expect([retryable, sameKeySafe]).toEqual([true, true]);
    if (action === 'change_payment_method') expect(sameKeySafe).toBe(false);
    if (retryAfter !== undefined) expect(retryable).toBe(true);
    if (status === 503 || status === 429) expect(retryAfter).toBeDefined();
  });
});

it('the answer of a cancel that comes too late leaves the key to its operation', async () => {
  const paid = await world.checkout('paid-before');
  const late = await world.ask('POST', `${paid.headers.get('location')}/cancel`);
  expect(late.json).toMatchObject({ code: 'already-settled', retryable: false, sameKeySafe: true });
  const again = await world.checkout('paid-before');
  expect([again.status, again.text]).toEqual([201, paid.text]);
});

describe('what a flow answers', () => {
  const named: [what: string, status: number, ask: (key: string) => Promise<Answered>][] = [
    ['no token', 401, (key) => world.checkout(key, {}, { token: null })],
    ['no JSON', 400, (key) => world.checkout(key, {}, { body: '{' })],
    ['a field too many', 400, (key) => world.checkout(key, { amount: 1 })],
    ['another media type', 415, (key) => world.checkout(key, {}, { headers: { 'content-type': 'text/plain' } })],
    ['a body too large', 413, (key) => world.checkout(key, {}, { body: ' '.repeat(70_000) })],
    ['a refusal of the flow', 422, (key) => world.checkout(key, { items: [{ sku: 'nothing', quantity: 1 }] })],
    [
      'another request',
      422,
      async (key) => {
        await world.checkout(key);
        return await world.checkout(key, { cartId: 'another' });
      },
    ],
    ['an outcome', 201, (key) => world.checkout(key)],
    ['a question to a route that takes no key', 200, (key) => world.ask('GET', '/v1/operations', { key })],
  ];

  it.each(named)('says under which key it was asked: %s', async (what, status, ask) => {
    const key = `"told: ${what}"; of=tests`;
    const answer = await ask(key);
    expect([answer.status, answer.headers.get('idempotency-key')]).toEqual([
      status,
      what.startsWith('a question') ? null : key,
    ]);
  });

  it('repeats no key that is at fault itself', async () => {
    for (const key of ['a, b', 'ann@example.com', 'k'.repeat(256)]) {
      const { status, headers } = await world.checkout(key);
      expect([status, headers.get('idempotency-key')]).toEqual([400, null]);
    }
  });

  it('leads from each problem with its key to what that means', async () => {
    await world.checkout('described');
    const reused = await world.checkout('described', { cartId: 'another' });
    await world.sql(`update hapax.operation set answer_expires_at = now() - interval '1 s' where key = 'described'`);
    const answers = {
      'key-missing': await world.ask('POST', '/v1/checkouts', { body: world.cart('described') }),
      'key-malformed': await world.checkout('a, b'),
      'key-personal': await world.checkout('ann@example.com'),
      'key-reused': reused,
      'key-expired': await world.checkout('described'),
    };
    for (const [code, { json, headers }] of Object.entries(answers))
      expect([json.code, headers.get('link')]).toEqual([code, `</problems/${code}>; rel="describedby"`]);
    expect((await world.checkout('undescribed', { amount: 1 })).headers.get('link')).toBeNull();
  });
});

describe('an end after which a flow lets its key begin anew', () => {
  it('is said to be one of that flow, and of no other', async () => {
    for (const code of ['cancelled', 'expired'] as const) {
      const { text } = await world.ask('GET', `/problems/${code}`, { token: null });
      expect(text).toContain('no, make a new one');
      expect(text).toContain(
        'Upload a file: the same key may be used again and begins a new operation. Ask again with the same key.',
      );
      expect(text).not.toContain('Pay a cart');
    }
    expect((await world.ask('GET', '/problems/compensated', { token: null })).text).not.toContain('Upload a file');
  });

  it('is told with advice that does not contradict itself', () => {
    for (const code of codes) {
      const { retryable, sameKeySafe, action, ...row } = failure(code, true);
      expect(failure(code)).toMatchObject(row);
      expect(sameKeySafe).toBe(true);
      expect(action).not.toBe('change_payment_method');
      if (action !== 'fix_request') expect(retryable).toBe(true);
      const beside = failure(code, 'by-another-request');
      expect(beside.sameKeySafe).toBe(true);
      // What cannot succeed by itself is not to be repeated.
      expect(beside.retryable).toBe(failure(code).retryable);
    }
  });
});

describe('each problem', () => {
  const answers: [code: FailureCode, ask: () => Promise<Answered>][] = [
    ['key-missing', () => world.ask('POST', '/v1/checkouts', { body: world.cart('x') })],
    ['key-malformed', () => world.checkout('a, b')],
    ['key-personal', () => world.checkout('ann@example.com')],
    ['body-malformed', () => world.checkout('p1', {}, { body: '{' })],
    ['request-invalid', () => world.checkout('p1', { amount: 1 })],
    ['unauthenticated', () => world.checkout('p1', {}, { token: null })],
    ['not-found', () => world.ask('GET', '/v1/nothing')],
    ['method-not-allowed', () => world.ask('DELETE', '/v1/checkouts')],
    [
      'media-type-unsupported',
      () => world.checkout('p1', {}, { body: 'x', headers: { 'content-type': 'text/plain' } }),
    ],
    ['body-too-large', () => world.checkout('p1', {}, { body: ' '.repeat(70_000) })],
    ['card-declined', () => world.checkout('p2', { paymentMethod: 'pm_card_chargeDeclined' })],
    ['out-of-stock', () => world.checkout('p3', { items: [{ sku: 'poster', quantity: 1 }] })],
    ['sku-unknown', () => world.checkout('p4', { items: [{ sku: 'nothing', quantity: 1 }] })],
    ['key-reused', () => world.checkout('p4', { items: [{ sku: 'poster', quantity: 1 }] })],
    [
      'key-expired',
      async () => {
        await world.checkout('p5');
        await world.sql(`update hapax.operation set answer_expires_at = now() - interval '1 s' where key = 'p5'`);
        return await world.checkout('p5');
      },
    ],
    [
      'in-progress',
      async () => {
        await holdConfirm(world, 'p6');
        const first = world.checkout('p6');
        await untilHeld(world, 'p6');
        const answer = await world.checkout('p6', {}, { headers: { prefer: 'wait=0' } });
        await release(world);
        await first;
        return answer;
      },
    ],
    [
      'already-settled',
      async () => world.ask('POST', `${(await world.checkout('p7')).headers.get('location')}/cancel`),
    ],
  ];

  it.each(answers)('such as %s has every member that RFC 9457 and our own advice name', async (code, ask) => {
    const { status, headers, json } = await ask();
    const { title, retryable, sameKeySafe, action, retryAfter, ...row } = failure(code);
    expect(json).toMatchObject({ code, status: row.status, title, retryable, sameKeySafe, action });
    expect(status).toBe(row.status);
    expect(json.type).toBe(`/problems/${code}`);
    expect(json.docUrl).toBe(`/problems/${code}`);
    expect((await world.ask('GET', json.docUrl, { token: null })).status).toBe(200);
    expect(json.requestId).toBe(headers.get('request-id'));
    expect(json.detail.length).toBeGreaterThan(10);
    expect(json.retryAfter).toBe(retryAfter);
    expect(headers.get('retry-after')).toBe(retryAfter === undefined ? null : String(retryAfter));
    expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(headers.get('cache-control')).toBe('no-store');
    // Whoever is told of an operation can look at it.
    expect(headers.get('location')).toBe(json.operationUrl ?? null);
    if (json.operationUrl !== undefined) expect((await world.ask('GET', json.operationUrl)).status).toBe(200);
  });
});
