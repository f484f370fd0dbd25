import Stripe from 'stripe';
import type { Config } from './config.ts';

/** The provider's client, at Stripe itself or at the address given. */
export function connectStripe(config: Pick<Config, 'STRIPE_SECRET_KEY' | 'STRIPE_API_BASE'>): Stripe {
  // Retries are the engine's: the client's own would go out under keys that the ledger does not know.
  const options = { maxNetworkRetries: 0, telemetry: false } as const;
  if (!config.STRIPE_API_BASE) return new Stripe(config.STRIPE_SECRET_KEY, options);
  const { protocol, hostname, port } = new URL(config.STRIPE_API_BASE);
  return new Stripe(config.STRIPE_SECRET_KEY, {
    ...options,
    protocol: protocol === 'https:' ? 'https' : 'http',
    host: hostname,
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  });
}
