import { randomUUID } from 'node:crypto';
import charge from './charge.json' with { type: 'json' };
import dispute from './dispute.json' with { type: 'json' };
import paymentIntent from './payment-intent.json' with { type: 'json' };
import payout from './payout.json' with { type: 'json' };
import refund from './refund.json' with { type: 'json' };
import { type StripeEvent, versionChanges } from './version-changes.ts';

/** The objects that events are about, as the newest version writes them. */
const newest = { charge, dispute, payment_intent: paymentIntent, payout, refund } as const;

type About = keyof typeof newest;

/**
 * An event as Stripe writes it for an endpoint of a version. Stripe writes the newest form, and takes back each later change.
 * @param members what differs from the example, in the newest form
 */
export function eventAt(version: string, type: string, about: About, members: Record<string, unknown>): StripeEvent {
  const written: StripeEvent = {
    id: `evt_${randomUUID()}`,
    object: 'event',
    api_version: version,
    created: Math.floor(Date.now() / 1_000),
    data: { object: { ...structuredClone(newest[about]), ...members } },
    livemode: false,
    pending_webhooks: 1,
    request: { id: 'req_Hapax', idempotency_key: 'a key of somebody' },
    type,
  };
  return versionChanges
    .filter(({ since }) => version < since)
    .reduce((event, { takeBack }) => takeBack(event), written);
}
