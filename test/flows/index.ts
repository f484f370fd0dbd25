/** The stories that the test suite's own workers run: the product's, and those of flows that are not shipped. */
export * from '../../workflows/index.ts';
export {
  bookingBackwards,
  bookingFinal,
  bookingHasty,
  bookingRefundable,
  bookingUnforeseen,
  bookingVoidable,
} from './booking/booking.ts';
export { guestbook } from './guestbook/guestbook.ts';
