import type { Execution } from './execution.ts';
import type { Form } from './form.ts';
import { inTens } from './in-tens.ts';
import { outcomeOf } from './payment-intent-outcome.ts';
import { cancel, capture, confirm, unexpectedState } from './payment-intent-steps.ts';
import { methodOf } from './payment-intent.ts';
import { findPaymentMethod } from './payment-method.ts';
import { Parameters } from './parameters.ts';
import { checkedEmail, isAttended } from './prepare-create.ts';

const CONFIRM = [
  ...['payment_method', 'return_url', 'off_session', 'error_on_requires_action', 'receipt_email'],
  ...['allowed_payment_method_types', 'payment_method_options', 'setup_future_usage', 'shipping', 'use_stripe_sdk'],
  ...['mandate_data', 'client_secret'],
];
const CAPTURE = ['amount_to_capture', 'final_capture', 'metadata', 'statement_descriptor'];
const REASONS = ['duplicate', 'fraudulent', 'requested_by_customer', 'abandoned'] as const;

/** `POST /v1/payment_intents/{id}/confirm` */
export function prepareConfirm(form: Form, id: string): Execution {
  const parameters = new Parameters(form, CONFIRM);
  const given = parameters.string('payment_method');
  const returnUrl = parameters.string('return_url');
  const receiptEmail = parameters.string('receipt_email');
  checkedEmail(receiptEmail);
  const attended = isAttended(parameters);
  return (ledger, moment) => {
    const found = ledger.paymentIntent(id);
    const intent = {
      ...found,
      returnUrl: returnUrl ?? found.returnUrl,
      receiptEmail: receiptEmail ?? found.receiptEmail,
    };
    const method = given ?? methodOf(intent);
    if (method === null) {
      throw unexpectedState(
        found,
        "You cannot confirm this PaymentIntent because it's missing a payment method. Update it with a payment method, or give one to confirm it with.",
      );
    }
    return outcomeOf(confirm(intent, findPaymentMethod(method), moment.newId('ch'), attended));
  };
}

/** `POST /v1/payment_intents/{id}/capture` */
export function prepareCapture(form: Form, id: string): Execution {
  const parameters = new Parameters(form, CAPTURE);
  const amount = parameters.integer('amount_to_capture');
  const metadata = parameters.metadata();
  return (ledger) => {
    const intent = ledger.paymentIntent(id);
    if (amount !== undefined) inTens(amount, intent.currency, 'amount_to_capture');
    return outcomeOf(capture({ ...intent, metadata: mergedMetadata(intent.metadata, metadata) }, amount));
  };
}

/** `POST /v1/payment_intents/{id}/cancel` */
export function prepareCancel(form: Form, id: string): Execution {
  const parameters = new Parameters(form, ['cancellation_reason']);
  const reason = parameters.oneOf('cancellation_reason', REASONS) ?? null;
  return (ledger, moment) => outcomeOf(cancel(ledger.paymentIntent(id), reason, Math.floor(moment.at / 1000)));
}

/** `POST /v1/payment_intents/{id}`: what may change at any time. */
export function prepareUpdate(form: Form, id: string): Execution {
  const parameters = new Parameters(form, ['metadata', 'description', 'receipt_email']);
  const metadata = parameters.metadata();
  const description = parameters.string('description');
  const receiptEmail = parameters.string('receipt_email');
  checkedEmail(receiptEmail);
  return (ledger) => {
    const intent = ledger.paymentIntent(id);
    const updated = {
      ...intent,
      metadata: mergedMetadata(intent.metadata, metadata),
      description: description ?? intent.description,
      receiptEmail: receiptEmail ?? intent.receiptEmail,
    };
    return outcomeOf({ intent: updated, effects: [{ type: 'payment_intent.updated', amount: 0 }] });
  };
}

/** Stripe: "Individual keys can be unset by posting an empty value to them." */
function mergedMetadata(old: Record<string, string>, change: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries({ ...old, ...change }).filter(([, value]) => value !== ''));
}
