import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { temporaryDirectory, visa } from './provider.ts';
import { spawnSandbox } from './spawned-sandbox.ts';

const main = new URL('../../workers/sandbox/main.ts', import.meta.url).pathname;

test('ends with 0 on a SIGTERM, also with connections open', async () => {
  const provider = await spawnSandbox(await temporaryDirectory());
  await provider.stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  expect(await provider.stop('SIGTERM')).toBe(0);
});

test('takes its settings from the command line', async () => {
  const flags = ['--key-window-ms', '0', '--search-lag-ms', '0', '--clock-offset-ms', '3600000'];
  const begun = Date.now();
  const { stripe, get } = await spawnSandbox(await temporaryDirectory(), { flags });
  const first = await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  const second = await stripe.paymentIntents.create(visa, { idempotencyKey: 'a' });
  expect(second.id).not.toBe(first.id);
  expect((await stripe.paymentIntents.search({ query: 'amount:4500' })).data).toHaveLength(2);
  expect(first.created).toBeGreaterThanOrEqual(Math.floor(begun / 1000) + 3600);
  expect(await get('/_control/settings')).toEqual({
    keyWindowMs: 0,
    searchLagMs: 0,
    clockOffsetMs: 3_600_000,
    profile: 'stripe',
  });
});

test.each([[[]], [['--data', 'nowhere', '--search-lag-ms', 'soon']]])('ends with 2 when started with %j', (flags) => {
  const { status, stderr } = spawnSync(process.execPath, [main, ...flags], { encoding: 'utf8', timeout: 50_000 });
  expect(stderr).toContain('--');
  expect(status).toBe(2);
});
