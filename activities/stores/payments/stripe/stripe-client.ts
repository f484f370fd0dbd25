import Stripe from 'stripe';

/**
 * Stripe's client, which never sends a call twice by itself: retries are the engine's, and the ledger counts them.
 * @param base the address of a stand-in, such as the payment sandbox; undefined means Stripe itself
 */
export function stripeClient(secretKey: string, base: string | undefined): Stripe {
  const options = { maxNetworkRetries: 0, telemetry: false, httpClient: sendingOnce() } as const;
  if (!base) return new Stripe(secretKey, options);
  const { protocol, hostname: host, port } = new URL(base);
  const isSecure = protocol === 'https:';
  return new Stripe(secretKey, {
    ...options,
    protocol: isSecure ? 'https' : 'http',
    host,
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
  });
}

/**
 * The package repeats a call whose connection was closed, whatever `maxNetworkRetries` says, and knows it by the error's
 * code. But the call may have been executed, and none of our limits would see the repeat.
 */
function sendingOnce() {
  const own = Stripe.createNodeHttpClient();
  const send = own.makeRequest.bind(own);
  own.makeRequest = async (...call) => {
    try {
      return await send(...call);
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code !== 'ECONNRESET' && code !== 'EPIPE') throw error;
      throw Object.assign(new Error('The connection was closed', { cause: error }), { code: `CLOSED_${code}` });
    }
  };
  return own;
}
