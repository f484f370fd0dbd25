import type Stripe from 'stripe';
import { outsideSystem } from './outside-system.ts';
import { setting } from './setting.ts';

/** Stripe, or a sandbox that behaves like it. */
export type Payments = {
  readonly stripe: Stripe;
  /** Whether `stripe` speaks to a sandbox: it has test money only, and serves both environments. */
  readonly sandboxed: boolean;
};

export const payments = outsideSystem({
  called: 'the payment provider',
  settings: {
    /** Empty means Stripe itself. The local stack sets it to the payment sandbox. */
    STRIPE_API_BASE: setting.address('the payment provider'),
    STRIPE_SECRET_KEY: setting.required('secret key of the payment provider'),
  },
  async connect({ STRIPE_API_BASE, STRIPE_SECRET_KEY }): Promise<Payments> {
    const { default: StripeClient } = await import('stripe');
    // Retries are the engine's: the client's own would go out under keys that the ledger does not know.
    const options = { maxNetworkRetries: 0, telemetry: false } as const;
    if (!STRIPE_API_BASE) return { stripe: new StripeClient(STRIPE_SECRET_KEY, options), sandboxed: false };
    const { protocol, hostname, port } = new URL(STRIPE_API_BASE);
    const stripe = new StripeClient(STRIPE_SECRET_KEY, {
      ...options,
      protocol: protocol === 'https:' ? 'https' : 'http',
      host: hostname,
      port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
    });
    return { stripe, sandboxed: true };
  },
  own: {
    givenBy: ['STRIPE_API_BASE', 'STRIPE_SECRET_KEY'],
    address: 'STRIPE_API_BASE',
    otherwise: 'https://api.stripe.com',
    // Any answer will do: a provider says 401 to a stranger.
    answers: (address) => fetch(address, { method: 'HEAD' }),
  },
  // Nothing that runs by default may reach real money. The sandbox takes any key of this form; Stripe takes none of it.
  fake: {
    name: 'sandbox',
    called: 'the payment sandbox',
    script: 'workers/sandbox/main.ts',
    port: { HAPAX_SANDBOX_PORT: setting.port(12_111) },
    settings: (address) => ({ STRIPE_API_BASE: address, STRIPE_SECRET_KEY: 'sk_test_local' }),
  },
});
