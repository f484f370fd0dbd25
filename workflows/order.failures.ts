import { type FailureRows, support, wait } from './operation/failures.ts';

/** Why an order that was spoken of as paid is not acted on. */
export const orderFailures = {
  'order-pending': {
    status: 409,
    title: 'Something about the order is still under way',
    ...wait,
    retryAfter: 2,
    stored: false,
  },
  'order-not-paid': { status: 409, title: 'The order was not paid by this payment', ...support },
} as const satisfies FailureRows;

type OrderFailures = typeof orderFailures;
declare module './operation/failures.ts' {
  interface FlowFailures extends OrderFailures {}
}
