import { createHash } from 'node:crypto';
import { type Charge, presentCharge } from './charge.ts';
import type { Effect, EffectType } from './effect.ts';
import { type Dispute, presentDispute } from './dispute.ts';
import { type Payout, presentPayout } from './payout.ts';
import { chargeOf, type PaymentIntent } from './payment-intent.ts';
import { presentPaymentIntent } from './present-payment-intent.ts';
import { presentRefund, type Refund } from './refund.ts';
import { invalidRequest } from './stripe-error.ts';

/** What the provider tells of one thing that happened. The same entry of the journal always makes the same events. */
export interface ProviderEvent {
  id: string;
  type: string;
  /** Milliseconds since 1970. */
  at: number;
  /** What it is about, as it was then. */
  about: About;
  request: { id: string; idempotency_key: string | null };
}

type About =
  | { kind: 'payment_intent'; it: PaymentIntent }
  | { kind: 'charge'; it: Charge }
  | { kind: 'refund'; it: Refund }
  | { kind: 'dispute'; it: Dispute }
  | { kind: 'payout'; it: Payout };

type Told = Pick<ProviderEvent, 'type' | 'about'>;

/** An executed request, as the journal has it. */
interface Executed {
  at: number;
  requestId: string;
  key: { value: string } | null;
  paymentIntents: PaymentIntent[];
  refunds: Refund[];
  disputes?: Dispute[] | undefined;
  payouts?: Payout[] | undefined;
  effects: Effect[];
}

const API_VERSION = '2026-10-28.endive';

/**
 * @param movementOf the number of the movement that an effect on this object has left in the money ledger
 * @returns the events of one executed request, in the order in which things happened
 */
export function eventsOf(entry: Executed, movementOf: (object: string) => number | undefined): ProviderEvent[] {
  const request = { id: entry.requestId, idempotency_key: entry.key?.value ?? null };
  return entry.effects.flatMap(({ type: effect, object }, n) =>
    toldOf(effect, aboutOf(entry, object), movementOf(object)).map(({ type, about }, m) => {
      // Its place names it, so that it has the same id after a restart.
      const place = m === 0 ? `${entry.requestId} ${n}` : `${entry.requestId} ${n} ${m}`;
      const digest = createHash('sha256').update(place).digest('hex');
      return { id: `evt_${digest.slice(0, 24)}`, type, at: entry.at, about, request };
    }),
  );
}

/** What Stripe tells of one effect. */
function toldOf(effect: EffectType, about: About | undefined, movement: number | undefined): Told[] {
  const type = typeOf(effect, about);
  if (about === undefined || type === undefined) return [];
  if (effect !== 'payment_intent.captured' || about.kind !== 'payment_intent') return [{ type, about }];
  // No refund and no dispute can have come before the capture.
  const it: Charge = { id: chargeOf(about.it), intent: about.it, refunded: 0, disputed: false, movement };
  return [
    { type, about },
    { type: 'charge.updated', about: { kind: 'charge', it } },
  ];
}

function aboutOf(
  { paymentIntents, refunds, disputes = [], payouts = [] }: Executed,
  object: string,
): About | undefined {
  const find = <It extends { id: string }>(all: It[]) => all.find(({ id }) => id === object);
  const [intent, refund, dispute, payout] = [find(paymentIntents), find(refunds), find(disputes), find(payouts)];
  if (intent !== undefined) return { kind: 'payment_intent', it: intent };
  if (refund !== undefined) return { kind: 'refund', it: refund };
  if (dispute !== undefined) return { kind: 'dispute', it: dispute };
  return payout && { kind: 'payout', it: payout };
}

function present(about: About) {
  switch (about.kind) {
    case 'payment_intent':
      return presentPaymentIntent(about.it);
    case 'charge':
      return presentCharge(about.it);
    case 'refund':
      return presentRefund(about.it);
    case 'dispute':
      return presentDispute(about.it);
    case 'payout':
      return presentPayout(about.it);
  }
}

/** An event as Stripe writes it. */
export function presentEvent({ id, type, at, about, request }: ProviderEvent, pending = 0) {
  // Only its movement was unknown before.
  const before = about.kind === 'charge' ? { previous_attributes: { balance_transaction: null } } : {};
  return {
    id,
    object: 'event',
    api_version: API_VERSION,
    created: Math.floor(at / 1000),
    data: { object: present(about), ...before },
    livemode: false,
    pending_webhooks: pending,
    request,
    type,
  };
}

/** Finds an event by its id. @throws StripeError */
export function findEvent(events: readonly ProviderEvent[], id: string): ProviderEvent {
  const event = events.find((one) => one.id === id);
  if (event === undefined) throw invalidRequest(`No such event: '${id}'`, { code: 'resource_missing', param: 'id' });
  return event;
}

/** Stripe's name for it; undefined where Stripe tells nothing. */
function typeOf(effect: EffectType, about: About | undefined): string | undefined {
  switch (effect) {
    case 'payment_intent.created':
    case 'payment_intent.requires_action':
    case 'payment_intent.canceled':
    case 'refund.created':
    case 'refund.failed':
    case 'payout.paid':
      return effect;
    case 'refund.pending':
      return 'refund.created';
    case 'refund.dropped':
      return 'refund.failed';
    case 'dispute.created':
      return 'charge.dispute.created';
    case 'dispute.won':
    case 'dispute.lost':
      return 'charge.dispute.closed';
    case 'payment_intent.declined':
      return 'payment_intent.payment_failed';
    case 'payment_intent.captured':
      return 'payment_intent.succeeded';
    case 'payment_intent.confirmed':
      // Where the money is taken at once, only that is told.
      return about?.kind === 'payment_intent' && about.it.captureMethod === 'manual'
        ? 'payment_intent.amount_capturable_updated'
        : undefined;
    case 'payment_intent.updated':
      return undefined;
  }
}
