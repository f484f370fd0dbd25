import Stripe from 'stripe';
import type { World } from './world.ts';

/** The provider's client, for what its staff and its customers do at the payment sandbox of a world. */
export function paymentClient(world: World): Stripe {
  const { hostname: host, port } = new URL(world.sandbox.address);
  return new Stripe('sk_test_local', { host, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false });
}
