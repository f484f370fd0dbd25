import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { given } from '../config.ts';
import { startNodeWorker } from './node-worker.ts';
import { reachable, type Service } from './service.ts';
import type { Context } from './stack-context.ts';

/** The sandbox takes any key of this form; Stripe takes none of it. */
const localStripeKey = 'sk_test_local';

/** Charges go to the sandbox unless a provider is named: nothing that runs by default may reach real money. */
export async function providePayments(context: Context): Promise<Service & { sandboxUrl?: string }> {
  if (given('STRIPE_API_BASE') || given('STRIPE_SECRET_KEY')) {
    const chosen = given('STRIPE_API_BASE');
    // Any answer will do: a provider says 401 to a stranger.
    if (chosen) await reachable('STRIPE_API_BASE', 'the payment provider', () => fetch(chosen, { method: 'HEAD' }));
    const base = chosen ?? 'https://api.stripe.com';
    const environment = given('STRIPE_SECRET_KEY') ? {} : { STRIPE_SECRET_KEY: localStripeKey };
    return { environment, addresses: { Payments: base } };
  }
  const port = context.settings.HAPAX_SANDBOX_PORT;
  const sandboxUrl = `http://127.0.0.1:${port}`;
  await context.run('sandbox', 'services', (logFile) =>
    startNodeWorker({
      name: 'sandbox',
      script: fileURLToPath(new URL('../sandbox/main.ts', import.meta.url)),
      args: ['--host', '127.0.0.1', '--port', String(port), '--data', join(context.directory, 'sandbox')],
      environment: {},
      readyUrl: `${sandboxUrl}/healthz`,
      logFile,
      keeper: context.keeper,
      advice: `See ${logFile}; another port is set by HAPAX_SANDBOX_PORT, a provider of your own by STRIPE_API_BASE.`,
    }),
  );
  return {
    sandboxUrl,
    environment: { STRIPE_API_BASE: sandboxUrl, STRIPE_SECRET_KEY: localStripeKey },
    addresses: { 'Payment sandbox': sandboxUrl },
  };
}
