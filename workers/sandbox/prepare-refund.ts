import { takesBack } from './dispute.ts';
import type { Execution } from './execution.ts';
import type { Form } from './form.ts';
import { inTens } from './in-tens.ts';
import { methodOf } from './payment-intent.ts';
import { findPaymentMethod } from './payment-method.ts';
import { Parameters, required } from './parameters.ts';
import { presentRefund, refundable, type Refund } from './refund.ts';

const REASONS = ['duplicate', 'fraudulent', 'requested_by_customer'] as const;

/** `POST /v1/refunds`: all that is left of a PaymentIntent, or a part of it. */
export function prepareRefund(form: Form): Execution {
  const parameters = new Parameters(form, ['payment_intent', 'amount', 'reason', 'metadata']);
  const intentId = required(parameters.string('payment_intent'), 'payment_intent');
  const wanted = parameters.integer('amount');
  const reason = parameters.oneOf('reason', REASONS) ?? null;
  const metadata = parameters.metadata();
  return (ledger, moment) => {
    const intent = ledger.paymentIntent(intentId, 'payment_intent');
    if (wanted !== undefined) inTens(wanted, intent.currency, 'amount');
    const { amount, charge } = refundable(
      intent,
      { earlier: ledger.refundsOf(intent.id), disputed: ledger.disputesOf(intent.id).some(takesBack) },
      wanted,
    );
    const method = findPaymentMethod(methodOf(intent) ?? '');
    const pending = method.outcome === 'approves' && method.refunds === 'pends';
    const refund: Refund = {
      id: moment.newId('re'),
      created: Math.floor(moment.at / 1000),
      amount,
      currency: intent.currency,
      paymentIntent: intent.id,
      charge,
      reason,
      metadata,
      ...(pending ? { pending } : {}),
    };
    return {
      status: 200,
      body: presentRefund(refund),
      paymentIntents: [],
      refunds: [refund],
      effects: [{ type: pending ? 'refund.pending' : 'refund.created', amount, about: refund }],
    };
  };
}
