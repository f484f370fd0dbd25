import Stripe from 'stripe';
import type { HttpRequest } from './checkout-request.ts';
import { eventSecret } from './settings.ts';

/** One delivery of an event, as Stripe makes it. @param event what the event says beside its form */
export function signedEvent(
  door: string,
  event: { readonly id: string; readonly type: string; readonly about: object },
) {
  const { id, type, about } = event;
  const said = { id, object: 'event', type, livemode: false, created: 1_800_000_000, data: { object: about } };
  const body = JSON.stringify(said);
  const signature = Stripe.webhooks.generateTestHeaderString({ payload: body, secret: eventSecret });
  const headers = { 'content-type': 'application/json', 'stripe-signature': signature };
  return { url: `${door}/v1/webhooks/stripe`, method: 'POST', headers, body } satisfies HttpRequest;
}
