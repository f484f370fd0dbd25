import { createHmac, randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { secrets } from './event-sources.ts';
import type { Answered, World } from './world.ts';

/** A PaymentIntent's event, as Stripe writes it. */
export function paymentEvent(
  payment: { readonly paymentIntent: string; readonly orderId: string; readonly id: string },
  tenant: string,
  { type = 'payment_intent.succeeded', id = `evt_${randomUUID()}`, livemode = false } = {},
) {
  return {
    id,
    object: 'event',
    api_version: '2026-10-28.endive',
    created: Math.floor(Date.now() / 1_000),
    type,
    livemode,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    data: {
      object: {
        id: payment.paymentIntent,
        object: 'payment_intent',
        metadata: { operation: payment.id, tenant, order: payment.orderId },
      },
    },
  };
}

/** A charge's event, as Stripe writes it. */
export function chargeEvent(
  payment: { readonly paymentIntent: string | null; readonly orderId: string; readonly id: string },
  tenant: string,
  { type = 'charge.updated', charge = {} as object } = {},
) {
  const { data, ...event } = paymentEvent({ ...payment, paymentIntent: '' }, tenant, { type });
  const { metadata } = data.object;
  const about = { payment_intent: payment.paymentIntent, balance_transaction: 'txn_1', metadata };
  return { ...event, data: { object: { id: `ch_${randomUUID()}`, object: 'charge', ...about, ...charge } } };
}

type Sent = {
  readonly secret?: string;
  readonly source?: string;
  readonly at?: number;
  readonly headers?: Record<string, string>;
  readonly door?: number;
};

/** Delivers an event as Stripe does, with a signature of its own for each attempt. */
export async function deliver(
  world: World,
  event: unknown,
  { secret = secrets.stripe, source = 'stripe', at = Date.now(), headers = {}, door = 0 }: Sent = {},
): Promise<Answered> {
  const body = typeof event === 'string' ? event : JSON.stringify(event);
  const signature = Stripe.webhooks.generateTestHeaderString({
    payload: body,
    secret,
    timestamp: Math.floor(at / 1_000),
  });
  return await world.ask('POST', `/v1/webhooks/${source}`, {
    token: null,
    door,
    body,
    headers: { 'content-type': 'application/json; charset=utf-8', 'stripe-signature': signature, ...headers },
  });
}

/** Delivers by Standard Webhooks. */
export async function deliverStandard(world: World, id: string, event: unknown, at = new Date()): Promise<Answered> {
  const { headers, body } = standardDelivery(id, event, at);
  return await world.ask('POST', '/v1/webhooks/standard', { token: null, body, headers });
}

/** A delivery by Standard Webhooks, as it comes. */
export function standardDelivery(id: string, event: unknown, at = new Date()) {
  const text = JSON.stringify(event);
  return {
    body: Buffer.from(text),
    headers: {
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': new Webhook(secrets.standard).sign(id, at, text),
    },
  };
}

/** Delivers with a plain HMAC over the body. */
export async function deliverHub(world: World, event: unknown, id = 'one'): Promise<Answered> {
  const body = JSON.stringify(event);
  const made = createHmac('sha256', secrets.hub).update(body).digest('hex');
  return await world.ask('POST', '/v1/webhooks/hub', {
    token: null,
    body,
    headers: { 'x-hub-delivery': id, 'x-hub-signature-256': `sha256=${made}` },
  });
}
