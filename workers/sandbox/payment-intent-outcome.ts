import type { Outcome } from './execution.ts';
import type { Step } from './payment-intent-steps.ts';
import { lastPaymentError, presentPaymentIntent } from './present-payment-intent.ts';

/** The answer to a step: the PaymentIntent, or Stripe's 402 with it when the bank has just refused. */
export function outcomeOf({ intent, effects }: Step): Outcome {
  const shown = presentPaymentIntent(intent);
  const refused = effects.some((effect) => effect.type === 'payment_intent.declined');
  return {
    status: refused ? 402 : 200,
    body: refused ? { error: { ...lastPaymentError(intent), payment_intent: shown } } : shown,
    paymentIntents: [intent],
    refunds: [],
    effects: effects.map((effect) => ({ ...effect, about: intent })),
  };
}
