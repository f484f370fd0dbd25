import { operations } from '../../workflows/flows.ts';
import { dispatch } from '../../workflows/temporal/dispatch.ts';
import {
  bookingBackwards,
  bookingConfirmed,
  bookingFinal,
  bookingHasty,
  bookingRefundable,
  bookingUnforeseen,
  bookingVoidable,
} from './booking/booking.ts';
import { guestbook } from './guestbook/guestbook.ts';
import { oddAgain, oddFinal, oddNatural, oddReceive, oddThrow } from './odd/odd.ts';

export { sentinel } from '../../workflows/temporal/sentinel.ts';

/** The stories that the test suite's own workers run: the product's, and those of flows that are not shipped. */
export default dispatch([
  ...operations,
  bookingBackwards,
  bookingConfirmed,
  bookingFinal,
  bookingHasty,
  bookingRefundable,
  bookingUnforeseen,
  bookingVoidable,
  guestbook,
  oddAgain,
  oddFinal,
  oddNatural,
  oddReceive,
  oddThrow,
]);
