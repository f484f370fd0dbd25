import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { FaultRule } from '../../workers/sandbox/fault-rule.ts';
import type { Held } from '../../workers/sandbox/holds.ts';
import { startSandbox } from '../../workers/sandbox/sandbox.ts';
import {
  authorise,
  callToGiveUp,
  providerAt,
  refusalOf,
  startProvider,
  temporaryDirectory,
  visa,
  type TestProvider,
} from './provider.ts';

interface Plan {
  rules: { id: string; seen: number; hits: number; remaining: number }[];
  held: Held[];
}

const held = async ({ get }: TestProvider) => (await get<Plan>('/_control/faults')).held;

const broken: [FaultRule['fault'], effects: number, type: string][] = [
  ['drop_before', 0, 'StripeConnectionError'],
  ['drop_after', 1, 'StripeConnectionError'],
  ['reset', 0, 'StripeConnectionError'],
  ['reset_after', 1, 'StripeConnectionError'],
  ['cut', 1, 'StripeConnectionError'],
  ['garble', 1, 'StripeAPIError'],
  ['empty', 1, 'StripeAPIError'],
  ['409', 0, 'StripeAPIError'],
  ['429', 0, 'StripeRateLimitError'],
];

test.each(broken)('%s leaves %i effects, and one after a retry with the same key', async (fault, count, type) => {
  const { stripe, post, effects } = await startProvider();
  // stripe-node repeats once what met a closed connection, even with maxNetworkRetries 0.
  const times = /drop|reset/.test(fault) ? 2 : 1;
  await post('/_control/faults', [{ fault, times }]);
  const failure = await refusalOf(stripe.paymentIntents.create(visa, { idempotencyKey: 'a' }));
  expect(failure.type).toBe(type);
  expect(await effects()).toHaveLength(count);

  const again = await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  expect(again.lastResponse.headers['idempotent-replayed']).toBe(count === 1 ? 'true' : undefined);
  expect(await effects()).toHaveLength(1);
});

test.each([
  ['drop_before', 0],
  ['drop_after', 1],
  ['reset', 0],
  ['reset_after', 1],
] as const)('%s ends the connection without a byte of an answer, with %i effects', async (fault, count) => {
  const { post, effects, url } = await startProvider();
  await post('/_control/faults', { fault });
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  const body = 'amount=4500&currency=eur';
  const end = new Promise<string>((resolve) => {
    socket.on('data', () => resolve('answered'));
    socket.on('end', () => resolve('FIN'));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
  });
  socket.write(
    `POST /v1/payment_intents HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_x\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  expect(await end).toBe(fault.startsWith('reset') ? 'ECONNRESET' : 'FIN');
  expect(await effects()).toHaveLength(count);
});

test.each([
  ['delay_before', 0],
  ['delay_after', 1],
])('%s makes the client wait, with %i effects meanwhile', async (fault, meanwhile) => {
  const { stripe, post, effects } = await startProvider();
  await post('/_control/faults', { fault, delayMs: 150 });
  const begun = Date.now();
  await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  const answered = Date.now();
  // A busy machine only makes the wait longer, on either side of the effect.
  const [effect, ...more] = await effects();
  const at = Date.parse(effect?.at ?? '');
  expect(meanwhile === 0 ? at - begun : answered - at).toBeGreaterThan(145);
  expect(more).toEqual([]);
});

test('goes on after a delay although the client has given up, as a server does', async () => {
  const provider = await startProvider();
  const { post, get, effects } = provider;
  await post('/_control/faults', { fault: 'delay_before', delayMs: 500 });
  const call = callToGiveUp(provider, 'a');
  await expect.poll(async () => (await get<unknown[]>('/_requests')).length).toBe(1);
  await call.giveUp();
  await expect.poll(async () => (await effects()).length).toBe(1);
});

test('holds a request before its effect until it is released by its id', async () => {
  const provider = await startProvider();
  const { stripe, post, effects } = provider;
  await post('/_control/faults', { match: { path: '/v1/payment_intents$' }, fault: 'hold_before' });
  const answer = stripe.paymentIntents.create({ ...visa, metadata: { operation: 'op1' } }, { idempotencyKey: 'a' });
  await expect
    .poll(() => held(provider))
    .toMatchObject([
      {
        boundary: 'before',
        method: 'POST',
        path: '/v1/payment_intents',
        key: 'a',
        operation: 'op1',
        requestId: expect.stringMatching(/^req_/),
      },
    ]);
  expect(await effects()).toEqual([]);

  const [{ id }] = (await held(provider)) as [Held];
  expect(await post('/_control/release', { id: 'hold_nobody' })).toEqual({ released: [] });
  expect(await post('/_control/release', { id })).toEqual({ released: [id] });
  await answer;
  expect(await effects()).toHaveLength(1);
  expect(await held(provider)).toEqual([]);
});

test('forgets a request held before its effect when its client goes away', async () => {
  const provider = await startProvider();
  await provider.post('/_control/faults', { fault: 'hold_before' });
  const call = callToGiveUp(provider, 'a');
  await expect.poll(() => held(provider)).toHaveLength(1);
  await call.giveUp();
  await expect.poll(() => held(provider)).toEqual([]);
  expect(await provider.effects()).toEqual([]);
  await provider.stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
});

test('keeps a request that outlives its client, and executes it late', async () => {
  const provider = await startProvider();
  await provider.post('/_control/faults', { fault: 'hold_before', outlivesClient: true });
  const call = callToGiveUp(provider, 'a');
  await expect.poll(() => held(provider)).toHaveLength(1);
  await call.giveUp();
  // A request that does not outlive its caller would be gone when the next one is answered.
  await provider.stripe.paymentIntents.list();
  expect(await held(provider)).toHaveLength(1);
  await provider.post('/_control/release', { all: true });
  await expect.poll(async () => (await provider.effects()).length).toBe(1);
});

test('lets nothing happen any more once it is closed', async () => {
  const data = await temporaryDirectory();
  const sandbox = await startSandbox({ data });
  const provider = providerAt(sandbox.url);
  await provider.post('/_control/faults', [{ fault: 'delay_before', delayMs: 10_000 }, { fault: 'hold_before' }]);
  const failures = ['a', 'b'].map((idempotencyKey) =>
    refusalOf(provider.stripe.paymentIntents.create(visa, { idempotencyKey })),
  );
  await expect.poll(async () => (await provider.get<unknown[]>('/_requests')).length).toBe(2);
  await sandbox.close();
  await Promise.all(failures);
  expect(await (await startProvider({ data })).effects()).toEqual([]);
});

test('holds a request after its effect, which then stands whatever becomes of the client', async () => {
  const provider = await startProvider();
  await provider.post('/_control/faults', { fault: 'hold_after' });
  const call = callToGiveUp(provider, 'a');
  await expect.poll(() => held(provider)).toMatchObject([{ boundary: 'after', key: 'a' }]);
  expect(await provider.effects()).toHaveLength(1);
  const replay = await provider.stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  expect(replay.lastResponse.headers['idempotent-replayed']).toBe('true');
  await call.giveUp();
  await expect.poll(() => held(provider)).toEqual([]);
});

test('hits the given number of matching requests after letting some pass', async () => {
  const { stripe, post, get } = await startProvider();
  await post('/_control/faults', { match: { method: 'post' }, after: 1, times: 2, fault: '409' });
  const statuses: number[] = [];
  for (const idempotencyKey of ['a', 'b', 'c', 'd']) {
    await stripe.paymentIntents.list();
    await stripe.paymentIntents.create(visa, { idempotencyKey }).then(
      () => statuses.push(200),
      (error) => statuses.push(error.statusCode),
    );
  }
  expect(statuses).toEqual([200, 409, 409, 200]);
  expect((await get<Plan>('/_control/faults')).rules).toMatchObject([{ seen: 3, hits: 2, remaining: 0 }]);
});

test.each([
  [{ path: '/v1/payment_intents$' }, ['create', 'other']],
  [{ path: '/v1/payment_intents' }, ['create', 'confirm', 'other', 'read']],
  [{ path: '/confirm$' }, []],
  [{ path: '[^/]+/confirm$' }, ['confirm']],
  [{ method: 'GET' }, ['read']],
  [{ key: 'op1:' }, ['create', 'confirm']],
  [{ operation: 'op1' }, ['create', 'confirm', 'read']],
  [{ operation: 'op2' }, ['other']],
  [{ operation: 'op1', method: 'POST', path: '/v1/payment_intents$' }, ['create']],
])('matches by %j', async (match, hit) => {
  const { stripe, post } = await startProvider();
  const { id } = await stripe.paymentIntents.create(
    { ...authorise, confirm: false, metadata: { operation: 'op1' } },
    { idempotencyKey: 'before' },
  );
  await post('/_control/faults', { match, times: 100, fault: '409' });
  const calls = {
    create: () =>
      stripe.paymentIntents.create({ ...visa, metadata: { operation: 'op1' } }, { idempotencyKey: 'op1:create' }),
    confirm: () => stripe.paymentIntents.confirm(id, {}, { idempotencyKey: 'op1:confirm' }),
    other: () => stripe.paymentIntents.create(visa, { idempotencyKey: 'op2:create' }),
    read: () => stripe.paymentIntents.retrieve(id),
  };
  const met: string[] = [];
  for (const [name, call] of Object.entries(calls)) await call().catch(() => met.push(name));
  expect(met).toEqual(hit);
});

test('forgets the plan when told so', async () => {
  const { stripe, post, url } = await startProvider();
  await post('/_control/faults', [{ fault: '409' }, { fault: 'drop_after' }]);
  expect(await (await fetch(`${url}/_control/faults`, { method: 'DELETE' })).json()).toEqual({ rules: [], held: [] });
  await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
});

test('sends whatever Retry-After the plan says, or none', async () => {
  const { stripe, post } = await startProvider();
  await post('/_control/faults', [
    { fault: '429', retryAfter: '-5' },
    { fault: '429', retryAfter: null },
  ]);
  const refused = async () =>
    (await refusalOf(stripe.paymentIntents.create(visa, { idempotencyKey: 'a' }))).headers?.['retry-after'];
  expect(await refused()).toBe('-5');
  expect(await refused()).toBeUndefined();
});

test.each([
  [{ fault: 'nothing' }],
  [{ fault: 'delay_before' }],
  [{ fault: '409', match: { path: '(' } }],
  [{ fault: '409', time: 2 }],
])('refuses the rule %j', async (rule) => {
  const { post } = await startProvider();
  await expect(post('/_control/faults', rule)).rejects.toThrow('400');
});
