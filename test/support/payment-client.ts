import type Stripe from 'stripe';
import { payments } from '../../activities/outside/payments.ts';
import type { World } from './world.ts';

/** The provider's client, for what its staff and its customers do at the payment sandbox of a world. */
export async function paymentClient(world: World): Promise<Stripe> {
  const reached = payments.fake.settings(world.sandbox.address);
  const { stripe } = await payments.connect({ STRIPE_SECRET_KEY: '', STRIPE_API_BASE: undefined, ...reached });
  return stripe;
}
