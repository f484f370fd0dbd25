import type Stripe from 'stripe';
import { EventFault } from '../event-fault.ts';
import { type Delivery, expectFew, expectRecent, headerOf, jsonOf, memberOf, type Said, tolerance } from './scheme.ts';

/**
 * Stripe's signatures: `Stripe-Signature: t=…,v1=…` over time and body. The package is loaded with the first delivery: every
 * process reads the settings that lead here, and it takes a quarter of a second.
 * @throws EventFault
 */
export async function saidByStripe(delivery: Delivery, secrets: readonly string[]): Promise<Said> {
  const header = headerOf(delivery, 'stripe-signature');
  const parts = header.split(',').map((part) => part.split('='));
  expectFew(parts.filter(([scheme]) => scheme === 'v1').length);
  // Stripe's own check lets times of the future pass, and of two times it takes the last.
  const [time, ...times] = parts.filter(([name]) => name?.trim() === 't');
  if (times.length > 0) throw new EventFault('signature-invalid', 'The signature has two times.');
  expectRecent(Number(time?.[1]) * 1_000);
  const data = jsonOf(delivery);
  const { default: stripe } = await import('stripe');
  if (!secrets.some((secret) => holds(stripe, delivery.body, header, secret)))
    throw new EventFault('signature-invalid', 'No secret of this source has made the signature.');
  const created = memberOf(data, 'created');
  const live = memberOf(data, 'livemode');
  if (typeof live !== 'boolean')
    throw new EventFault('request-invalid', 'The event does not say whether it is live: it has no `livemode`.');
  return {
    id: memberOf(data, 'id'),
    type: memberOf(data, 'type'),
    object: memberOf(data, 'data.object.id') ?? memberOf(data, 'related_object.id'),
    live,
    sentAt: typeof created === 'number' ? new Date(created * 1_000) : undefined,
    data,
    ...withoutSecrets(delivery.body, data),
  };
}

/**
 * With these a buyer answers their bank. Nobody here needs them, so nobody keeps them. Endpoints of a version before
 * 2019-02-11 get `next_source_action`.
 */
const buyersOwn: ReadonlySet<string> = new Set(['client_secret', 'next_action', 'next_source_action']);

function withoutSecrets(body: Buffer, data: unknown): { readonly kept?: Buffer } {
  // Most events have none, and writing JSON anew costs as much as reading it.
  if (![...buyersOwn].some((name) => body.includes(name))) return {};
  let found = false;
  const kept = JSON.stringify(data, (name, value: unknown) => {
    if (!buyersOwn.has(name) || value === null) return value;
    found = true;
    return undefined;
  });
  return found ? { kept: Buffer.from(kept) } : {};
}

function holds(stripe: typeof Stripe, body: Buffer, header: string, secret: string): boolean {
  try {
    // What `constructEvent` does before it makes an event; it makes none of Stripe's thin events.
    return stripe.webhooks.signature?.verifyHeader(body, header, secret, tolerance / 1_000) === true;
  } catch (error) {
    if (error instanceof stripe.errors.StripeSignatureVerificationError) return false;
    throw error;
  }
}
