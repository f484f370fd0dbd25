import type { Execution, Moment } from './execution.ts';
import type { Form } from './form.ts';
import { inTens } from './in-tens.ts';
import { outcomeOf } from './payment-intent-outcome.ts';
import type { PaymentIntent } from './payment-intent.ts';
import { confirm } from './payment-intent-steps.ts';
import { findPaymentMethod } from './payment-method.ts';
import { Parameters, required } from './parameters.ts';
import { invalidRequest } from './stripe-error.ts';

const KNOWN = [
  ...['amount', 'currency', 'capture_method', 'confirm', 'payment_method', 'metadata', 'description'],
  ...['receipt_email', 'customer', 'return_url', 'off_session', 'error_on_requires_action'],
  // Accepted, but without effect here.
  ...['allowed_payment_method_types', 'automatic_payment_methods', 'confirmation_method', 'setup_future_usage'],
  ...['statement_descriptor', 'statement_descriptor_suffix', 'shipping', 'transfer_group', 'use_stripe_sdk'],
  ...['payment_method_options', 'mandate_data'],
];

// Stripe, "Minimum and maximum charge amounts": eight digits; 0.50 in these currencies, 0.30 in pounds.
const MAX_AMOUNT = 99_999_999;
const MIN_AMOUNT: Record<string, number> = { usd: 50, eur: 50, chf: 50, cad: 50, aud: 50, gbp: 30, jpy: 50 };

const CURRENCIES = new Set(Intl.supportedValuesOf('currency').map((code) => code.toLowerCase()));

/** `POST /v1/payment_intents`, with or without `confirm`. */
export function prepareCreate(form: Form): Execution {
  const parameters = new Parameters(form, KNOWN);
  const currency = checkedCurrency(required(parameters.string('currency'), 'currency'));
  const amount = checkedAmount(required(parameters.integer('amount'), 'amount'), currency);
  const method = parameters.string('payment_method');
  const confirms = parameters.boolean('confirm') ?? false;
  const given = {
    amount,
    currency,
    captureMethod: parameters.oneOf('capture_method', ['automatic', 'automatic_async', 'manual']) ?? 'automatic',
    metadata: parameters.metadata(),
    description: parameters.string('description') ?? null,
    receiptEmail: checkedEmail(parameters.string('receipt_email')),
    customer: parameters.string('customer') ?? null,
    returnUrl: parameters.string('return_url') ?? null,
  } as const;
  const attended = isAttended(parameters);
  if (confirms && method === undefined) {
    throw invalidRequest(
      'You cannot confirm this PaymentIntent because it is missing a payment method. Provide `payment_method` with `confirm`.',
      { code: 'parameter_missing', param: 'payment_method' },
    );
  }
  return (_ledger, moment) => {
    const intent = newIntent(given, method, moment);
    const created = { type: 'payment_intent.created', amount } as const;
    if (method === undefined) return outcomeOf({ intent, effects: [created] });
    const known = findPaymentMethod(method);
    if (!confirms) return outcomeOf({ intent, effects: [created] });
    const step = confirm(intent, known, moment.newId('ch'), attended);
    return outcomeOf({ intent: step.intent, effects: [created, ...step.effects] });
  };
}

/** Stripe asks for 3DS only when somebody is there to answer. */
export function isAttended(parameters: Parameters): boolean {
  const offSession = parameters.oneOf('off_session', ['true', 'false', 'one_off', 'recurring']);
  const refusesAction = parameters.boolean('error_on_requires_action') ?? false;
  return !refusesAction && (offSession === undefined || offSession === 'false');
}

export function checkedEmail(email: string | undefined): string | null {
  if (email === undefined) return null;
  if (/^[^\s@]+@[^\s@]+$/.test(email)) return email;
  throw invalidRequest(`Invalid email address: ${email}`, { code: 'email_invalid', param: 'receipt_email' });
}

type Given = Omit<PaymentIntent, 'id' | 'clientSecret' | 'created' | 'state'>;

function newIntent(given: Given, method: string | undefined, moment: Moment): PaymentIntent {
  const id = moment.newId('pi');
  return {
    ...given,
    id,
    clientSecret: `${id}_${moment.newId('secret')}`,
    created: Math.floor(moment.at / 1000),
    state:
      method === undefined
        ? { status: 'requires_payment_method', charge: null, decline: null }
        : { status: 'requires_confirmation', method },
  };
}

function checkedCurrency(text: string): string {
  const currency = text.toLowerCase();
  if (CURRENCIES.has(currency)) return currency;
  throw invalidRequest(`Invalid currency: ${text}.`, { param: 'currency' });
}

function checkedAmount(amount: number, currency: string): number {
  if (amount > MAX_AMOUNT) {
    throw invalidRequest(`Amount must be no more than ${MAX_AMOUNT}.`, { code: 'amount_too_large', param: 'amount' });
  }
  const least = MIN_AMOUNT[currency] ?? 1;
  if (amount < least) {
    throw invalidRequest(`Amount must be at least ${least} in the minor unit of ${currency}.`, {
      code: 'amount_too_small',
      param: 'amount',
    });
  }
  return inTens(amount, currency, 'amount');
}
