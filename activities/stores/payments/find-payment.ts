import type Stripe from 'stripe';

/**
 * Looks for a payment of an operation by its metadata. The index lags by about a minute, so finding none proves
 * nothing. But a payment whose id nobody knows is never confirmed, and so moves nothing.
 */
export async function findPayment(
  stripe: Stripe,
  { operation, timeout }: { readonly operation: string; readonly timeout: number },
): Promise<Stripe.PaymentIntent | undefined> {
  const query = `metadata['operation']:'${operation}'`;
  const found = await stripe.paymentIntents.search({ query }, { timeout, maxNetworkRetries: 0 });
  return found.data[0];
}
