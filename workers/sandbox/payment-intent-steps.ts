import type { EffectType } from './effect.ts';
import type { PaymentIntent, PaymentIntentState } from './payment-intent.ts';
import type { Decline, PaymentMethod } from './payment-method.ts';
import { presentPaymentIntent } from './present-payment-intent.ts';
import { StripeError } from './stripe-error.ts';

/** A PaymentIntent after one step, and the effects of that step. */
export interface Step {
  intent: PaymentIntent;
  effects: { type: EffectType; amount: number }[];
}

/**
 * Charges or authorises.
 * @param attended whether a customer is there to answer a 3DS question
 */
export function confirm(intent: PaymentIntent, method: PaymentMethod, charge: string, attended: boolean): Step {
  switch (intent.state.status) {
    case 'requires_payment_method':
    case 'requires_confirmation':
    case 'requires_action':
      return attempt(intent, method, charge, attended);
    case 'requires_capture':
    case 'succeeded':
      throw unexpectedState(
        intent,
        'You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.',
      );
    case 'canceled':
      throw unexpectedState(intent, 'You cannot confirm this PaymentIntent because it has a status of canceled.');
  }
}

/** The customer answers the 3DS question. */
export function authenticate(intent: PaymentIntent, passed: boolean, charge: string): Step {
  const { state } = intent;
  if (state.status !== 'requires_action') {
    throw unexpectedState(intent, `This PaymentIntent asks for no action: it has a status of ${state.status}.`);
  }
  return passed ? approve(intent, state.method, charge) : decline(intent, state.method, null, AUTHENTICATION_FAILED);
}

/** Captures an authorisation, or a part of it. The rest is released. */
export function capture(intent: PaymentIntent, amount: number | undefined): Step {
  const { state } = intent;
  switch (state.status) {
    case 'requires_capture': {
      const received = amount ?? state.capturable;
      if (received > state.capturable) {
        throw new StripeError(400, {
          type: 'invalid_request_error',
          code: 'amount_too_large',
          param: 'amount_to_capture',
          message: `The amount to capture (${received}) is greater than the amount that can be captured (${state.capturable}).`,
        });
      }
      const { method, charge } = state;
      return {
        intent: { ...intent, state: { status: 'succeeded', method, charge, received } },
        effects: [{ type: 'payment_intent.captured', amount: received }],
      };
    }
    case 'requires_payment_method':
    case 'requires_confirmation':
    case 'requires_action':
    case 'succeeded':
    case 'canceled':
      throw unexpectedState(
        intent,
        `This PaymentIntent could not be captured because it has a status of ${state.status}. Only a PaymentIntent with one of the following statuses may be captured: requires_capture.`,
      );
  }
}

/** Cancels a PaymentIntent that has taken no money. An authorisation is released. */
export function cancel(intent: PaymentIntent, reason: string | null, at: number): Step {
  const { state } = intent;
  switch (state.status) {
    case 'requires_payment_method':
      return canceled(intent, { status: 'canceled', method: null, charge: state.charge, at, reason }, 0);
    case 'requires_confirmation':
    case 'requires_action':
      return canceled(intent, { status: 'canceled', method: state.method, charge: null, at, reason }, 0);
    case 'requires_capture': {
      const { method, charge, capturable } = state;
      return canceled(intent, { status: 'canceled', method, charge, at, reason }, capturable);
    }
    case 'succeeded':
    case 'canceled':
      throw unexpectedState(
        intent,
        `You cannot cancel this PaymentIntent because it has a status of ${state.status}. Only a PaymentIntent with one of the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, requires_action, processing.`,
      );
  }
}

/** Stripe's answer to a step that the state does not allow. */
export function unexpectedState(intent: PaymentIntent, message: string): StripeError {
  return new StripeError(400, {
    type: 'invalid_request_error',
    code: 'payment_intent_unexpected_state',
    message,
    payment_intent: presentPaymentIntent(intent),
  });
}

const AUTHENTICATION_FAILED: Decline = {
  code: 'payment_intent_authentication_failure',
  declineCode: '',
  message: 'The provided PaymentMethod has failed authentication.',
};

const AUTHENTICATION_REQUIRED: Decline = {
  code: 'authentication_required',
  declineCode: 'authentication_required',
  message: 'Your card was declined. This transaction requires authentication.',
};

function attempt(intent: PaymentIntent, method: PaymentMethod, charge: string, attended: boolean): Step {
  switch (method.outcome) {
    case 'approves':
      return approve(intent, method.id, charge);
    case 'declines':
      return decline(intent, method.id, charge, method.decline);
    case 'asks':
      if (!attended) return decline(intent, method.id, charge, AUTHENTICATION_REQUIRED);
      return {
        intent: { ...intent, state: { status: 'requires_action', method: method.id } },
        effects: [{ type: 'payment_intent.requires_action', amount: intent.amount }],
      };
  }
}

function approve(intent: PaymentIntent, method: string, charge: string): Step {
  const { amount } = intent;
  const authorised = { type: 'payment_intent.confirmed', amount } as const;
  switch (intent.captureMethod) {
    case 'manual':
      return {
        intent: { ...intent, state: { status: 'requires_capture', method, charge, capturable: amount } },
        effects: [authorised],
      };
    case 'automatic':
    case 'automatic_async':
      return {
        intent: { ...intent, state: { status: 'succeeded', method, charge, received: amount } },
        effects: [authorised, { type: 'payment_intent.captured', amount }],
      };
  }
}

function decline(intent: PaymentIntent, method: string, charge: string | null, reason: Decline): Step {
  return {
    intent: { ...intent, state: { status: 'requires_payment_method', charge, decline: { ...reason, method } } },
    effects: [{ type: 'payment_intent.declined', amount: intent.amount }],
  };
}

function canceled(
  intent: PaymentIntent,
  state: Extract<PaymentIntentState, { status: 'canceled' }>,
  released: number,
): Step {
  return { intent: { ...intent, state }, effects: [{ type: 'payment_intent.canceled', amount: released }] };
}
