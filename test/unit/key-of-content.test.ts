import { expect, it } from 'vitest';
import { Seals } from '../../activities/seal/seals.ts';
import type { Database } from '../../activities/stores/postgres/database.ts';
import { keyOfContent } from '../../client/gateway/key-of-content.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { fingerprint } from '../../workflows/operation/fingerprint.ts';
import { minutes } from '../../workflows/operation/duration.ts';
import { testSeals } from '../support/seal-keys.ts';

const flow = { ...checkoutFlow, contentKey: { window: minutes(10), because: 'a test' } };
const plain = checkoutFlow.request.parse({
  cartId: 'a cart',
  items: [{ sku: 'mug-blue', quantity: 1 }],
  paymentMethod: 'pm_card_visa',
});

/** @returns the key, and what the ledger was asked with */
async function keyOf(request: typeof plain, seals = testSeals) {
  const asked: unknown[] = [];
  const database = {
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

it('content without a sealed field needs no seal keys', async () => {
  expect((await keyOf(plain, Seals.none)).key).toBe(
    `content.${fingerprint(flow.name, flow.intent, plain)}.1795000000000`,
  );
});
