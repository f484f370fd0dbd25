import { expect, it } from 'vitest';
import { KeyRing } from '../../activities/seal/key-ring.ts';
import { Seals } from '../../activities/seal/seals.ts';
import type { Database } from '../../activities/stores/postgres/database.ts';
import { keyOfContent } from '../../client/gateway/key-of-content.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { fingerprint } from '../../workflows/operation/fingerprint.ts';
import { minutes } from '../../workflows/operation/duration.ts';
import { keyOf as secretOf, sealKeys, testSeals } from '../support/seal-keys.ts';

const flow = { ...checkoutFlow, contentKey: { window: minutes(10), because: 'a test' } };
const plain = checkoutFlow.request.parse({
  cartId: 'a cart',
  items: [{ sku: 'mug-blue', quantity: 1 }],
  paymentMethod: 'pm_card_visa',
});

type Open = { readonly digest: string; readonly anchored_ms: string };

/** @returns the key, and what the ledger was asked with, where these windows are open */
async function keyOf(request: typeof plain, seals = testSeals, windows: readonly Open[] = []) {
  const asked: unknown[] = [];
  const database = {
    async flush(_tenant: string, { values }: { readonly values: readonly unknown[] }) {
      const digests = values.at(-1) as readonly string[];
      return [windows.filter(({ digest }) => digests.includes(digest))];
    },
    async alone({ values }: { readonly values: readonly unknown[] }) {
      asked.push(...values);
      return [{ anchored_at: 1_795_000_000_000 }];
    },
  } as unknown as Database;
  const caller = { tenant: 'alpha', environment: 'test', subject: 'someone' } as const;
  return { key: await keyOfContent({ database, seals }, flow, { ...caller, request }), asked };
}

it('the key of content with a sealed field is made of an HMAC, and lets nobody guess the value', async () => {
  const request = { ...plain, email: 'ann@example.com' };
  const { key, asked } = await keyOf(request);
  expect(key).toMatch(/^content\.test:[0-9a-f]{64}\.1795000000000$/);
  const bare = fingerprint(flow.name, flow.intent, request);
  for (const told of [key, JSON.stringify(asked)]) expect(told).not.toContain(bare);
  expect((await keyOf(request)).key).toBe(key);
  expect((await keyOf({ ...request, email: 'bob@example.com' })).key).not.toBe(key);
});

it('a window that was opened before a rotation of keys is found under the new key, and after it under the former', async () => {
  const request = { ...plain, email: 'ann@example.com' };
  const [, digest = ''] = (await keyOf(request)).key.split('.');
  const before = { digest, anchored_ms: '1794999999000' };
  const next = new Seals(KeyRing.read(`next:${secretOf('n')},${sealKeys}`));
  expect((await keyOf(request, next)).key).toMatch(/^content\.next:/);
  expect((await keyOf(request, next, [before])).key).toBe(`content.${digest}.1794999999000`);
  const [, other = ''] = (await keyOf(request, next)).key.split('.');
  const former = new Seals(KeyRing.read(`${sealKeys},next:${secretOf('n')}`));
  const after = { digest: other, anchored_ms: '1795000000500' };
  expect((await keyOf(request, former, [after])).key).toBe(`content.${other}.1795000000500`);
});

it('content without a sealed field needs no seal keys', async () => {
  expect((await keyOf(plain, Seals.none)).key).toBe(
    `content.${fingerprint(flow.name, flow.intent, plain)}.1795000000000`,
  );
});
