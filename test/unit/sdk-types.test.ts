import { describe, expectTypeOf, it } from 'vitest';
import { memoryStore } from '../../sdk/action-store.ts';
import { hapaxClient } from '../../sdk/client.ts';
import type { checkoutFlow } from '../../workflows/checkout.flow.ts';
import type { signupFlow } from '../../workflows/signup.flow.ts';

const client = hapaxClient({ url: 'http://api.test', headers: () => ({}), store: memoryStore() });
const pay = client.action<typeof checkoutFlow>({ flow: 'checkout', route: 'checkouts', intent: ['cartId'] });
const cart = { cartId: 'cart-1', items: [{ sku: 'mug-blue', quantity: 1 }], paymentMethod: 'pm_card_visa' };

describe('the types of an action', () => {
  it('are those of its flow, and nothing of the declaration is shipped', () => {
    const { state } = pay;
    if (state.status === 'done') expectTypeOf(state.result?.orderId).toEqualTypeOf<string | undefined>();
    if (state.status === 'waiting')
      expectTypeOf(state.step).toEqualTypeOf<keyof (typeof checkoutFlow)['steps'] | undefined>();
    expectTypeOf<Awaited<ReturnType<typeof pay.submit>>['status']>().toEqualTypeOf<
      'idle' | 'done' | 'refused' | 'failed' | 'unknown'
    >();
  });

  it('let no wrong use compile', () => {
    // Never called: none of it may compile, and `npm run check` says so.
    const wrong = async (): Promise<void> => {
      await pay.submit({ ...cart, promo: 'SPRING' });
      // @ts-expect-error -- a field is missing
      await pay.submit({ cartId: 'cart-1', items: [] });
      // @ts-expect-error -- a field is misspelt
      await pay.submit({ ...cart, promoCode: 'SPRING' });
      // @ts-expect-error -- a field has another type
      await pay.submit({ ...cart, cartId: 1 });
      // @ts-expect-error -- no such field
      client.action<typeof checkoutFlow>({ flow: 'checkout', route: 'checkouts', intent: ['cart'] });
      // @ts-expect-error -- no such field
      client.action<typeof signupFlow>({ flow: 'signup', route: 'signups', secret: ['passwd'] });
      // @ts-expect-error -- the route is missing
      client.action<typeof checkoutFlow>({ flow: 'checkout' });
      // @ts-expect-error -- not a flow's declaration
      client.action<{ readonly name: string }>({ flow: 'checkout', route: 'checkouts' });
      // @ts-expect-error -- headers are missing
      hapaxClient({ url: 'http://api.test' });
      const { state } = pay;
      // @ts-expect-error -- only an action that is done has a result
      if (state.status === 'failed') state.result satisfies unknown;
    };
    expectTypeOf(wrong).toBeFunction();
  });
});
