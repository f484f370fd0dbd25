import { type FailureRows, newKey, support } from './operation/failures.ts';

/** Why money is not given back. Flows that give some back share these rows. */
export const refundFailures = {
  'order-not-refundable': { status: 409, title: 'No money of this order can be given back', ...newKey },
  'refund-exceeds': { status: 422, title: 'This is more than is left of what was paid', ...newKey },
  'refund-currency': { status: 422, title: 'The order was paid in another currency', ...newKey },
  'refund-not-in-tens': { status: 422, title: 'The provider gives this currency back in tens', ...newKey },
  'payment-disputed': { status: 409, title: 'The bank has taken this money back already', ...support },
  'refund-refused': { status: 409, title: 'The payment provider does not give this money back', ...support },
} as const satisfies FailureRows;

type RefundFailures = typeof refundFailures;
declare module './operation/failures.ts' {
  interface FlowFailures extends RefundFailures {}
}
