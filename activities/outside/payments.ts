import type { PaymentProvider } from '../stores/payments/payment-provider.ts';
import { outsideSystem } from './outside-system.ts';
import { usualProtection } from './protection.ts';
import { setting } from './setting.ts';

/** Who takes the money: Stripe, or a sandbox that behaves like it. */
export type Payments = {
  readonly provider: PaymentProvider;
  /** Whether the provider is a sandbox: it has test money only, and serves both environments. */
  readonly sandboxed: boolean;
  /** Where a buyer goes after the bank's page, unless the checkout names another place. */
  readonly returnUrl: string;
};

export const payments = outsideSystem({
  called: 'the payment provider',
  settings: {
    /** Empty means Stripe itself. The local stack sets it to the payment sandbox. */
    STRIPE_API_BASE: setting.address('the payment provider'),
    STRIPE_SECRET_KEY: setting.required('secret key of the payment provider'),
    /** Default: a page of the local HTTP API that tells the buyer to go back to the shop. */
    STRIPE_RETURN_URL: setting.address('the page to which buyers return from their bank'),
  },
  protection: usualProtection,
  async connect({ STRIPE_API_BASE, STRIPE_SECRET_KEY, STRIPE_RETURN_URL }): Promise<Payments> {
    const [{ stripeClient }, { stripeProvider }] = await Promise.all([
      import('../stores/payments/stripe/stripe-client.ts'),
      import('../stores/payments/stripe/stripe-provider.ts'),
    ]);
    const provider = stripeProvider(stripeClient(STRIPE_SECRET_KEY, STRIPE_API_BASE));
    if (!STRIPE_API_BASE)
      return {
        provider,
        sandboxed: false,
        // Read where checkouts are made, and nowhere else.
        get returnUrl() {
          // A buyer of a real shop must not be sent to a developer's machine.
          if (!STRIPE_RETURN_URL)
            throw new TypeError('STRIPE_RETURN_URL is not set: give the page to which buyers return from their bank.');
          return STRIPE_RETURN_URL;
        },
      };
    return {
      provider,
      sandboxed: true,
      returnUrl: STRIPE_RETURN_URL ?? 'http://127.0.0.1:8080/returned',
    };
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
