import { expect, it } from 'vitest';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { defineFlow } from '../../workflows/operation/flow.ts';

const { refusals: _refusals, ...checkout } = checkoutFlow;

it('a flow cannot seal a field that its request does not have', () => {
  expect(() => defineFlow({ ...checkout, sealed: ['phone' as never] })).toThrow(
    'Flow checkout seals phone, which its request does not have',
  );
});

it('a flow cannot seal a field of its path, which stands in logs', () => {
  expect(() => defineFlow({ ...checkout, route: 'buyers/{email}/checkouts', sealed: ['email'] })).toThrow(
    'Flow checkout seals email, which stands in the path of its route',
  );
});

it('a flow cannot hash a field that it does not seal, since its fingerprint could be guessed', () => {
  expect(() => defineFlow({ ...checkout, hashed: ['cartId'] })).toThrow(
    'Flow checkout hashes cartId and does not seal it',
  );
});

it('a flow that seals nothing says so by saying nothing', () => {
  const { sealed: _sealed, hashed: _hashed, ...plain } = checkout;
  expect([defineFlow(plain).sealed, defineFlow(plain).hashed]).toEqual([[], []]);
});
