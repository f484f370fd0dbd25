import { expect, it } from 'vitest';
import { asked } from '../../client/gateway/asked.ts';
import type { Found } from '../../client/gateway/claim-or-copy.ts';
import { LiveClaims } from '../../client/gateway/live-claims.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';

const request = checkoutFlow.request.parse({
  cartId: 'a cart',
  items: [{ sku: 'mug-blue', quantity: 1 }],
  paymentMethod: 'pm_card_visa',
});
const call = { tenant: 'alpha', environment: 'test', subject: 'someone', key: 'a-key-of-the-unit', request } as const;

it('forgets a row that this build cannot compare, and the process lives on', async () => {
  const claims = new LiveClaims();
  const request = asked(checkoutFlow, call);
  const row = {
    kind: 'claimed',
    answer: { kind: 'none' },
    fingerprintVersion: 99,
    fingerprint: '',
  } as unknown as Found;
  await claims.join(request, () => Promise.resolve(row)).claimed;
  // An unhandled rejection would end the process here, and fails this test.
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(claims.join(request, () => Promise.resolve(row)).follows).toBe(false);
});
