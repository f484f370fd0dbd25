import type Stripe from 'stripe';
import { hours } from '../../../../workflows/operation/duration.ts';
import type { PaymentProvider } from '../payment-provider.ts';
import { moneyOf, movementsOf, payoutOf } from './stripe-money.ts';
import { StripePayments } from './stripe-payment.ts';
import { findRefund, giveAllBack, givenBack, refundAt } from './stripe-refund.ts';

/**
 * Stripe keeps a key for at least 24 hours. With an hour to spare, an older key no longer proves that nothing will run
 * twice.
 */
export const keyWindow = hours(23);

/** Stripe, or what speaks as it does. */
export function stripeProvider(stripe: Stripe): PaymentProvider {
  const payments = new StripePayments(stripe, keyWindow);
  return {
    name: 'stripe',
    open: (wish, sending) => payments.open(wish, sending),
    confirm: (payment, card, sending) => payments.confirm(payment, card, sending),
    capture: (payment, amount, sending) => payments.capture(payment, amount, sending),
    cancel: (payment, undoing) => payments.cancel(payment, undoing),
    giveAllBack: (payment, captured, undoing) => giveAllBack(stripe, payment, captured, undoing),
    look: (payment, looking) => payments.look(payment, looking),
    nextAction: (payment) => payments.nextAction(payment),
    givenBack: (payment, looking) => givenBack(stripe, payment, looking),
    refund: (wish, sending) => refundAt(stripe, wish, sending, keyWindow),
    findRefund: (payment, operation, looking) => findRefund(stripe, payment, operation, looking),
    money: (payment, tenant, looking) => moneyOf(stripe, payment, tenant, looking),
    payout: (payout, tenant, looking) => payoutOf(stripe, payout, tenant, looking),
    movements: (from, looking) => movementsOf(stripe, from, looking),
  };
}
