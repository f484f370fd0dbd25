import type { Operation } from '../../workflows/engine/operation.ts';
import { operations } from '../../workflows/flows.ts';
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
import { letter } from './letter/letter.ts';
import { oddAgain, oddFinal, oddNatural, oddReceive, oddThrow } from './odd/odd.ts';

/** The product's flows and those that only tests need. The fault matrix takes every one whose request has an example. */
export const ownOperations: readonly Operation[] = [
  ...operations,
  bookingBackwards,
  bookingConfirmed,
  bookingFinal,
  bookingHasty,
  bookingRefundable,
  bookingUnforeseen,
  bookingVoidable,
  guestbook,
  letter,
  oddAgain,
  oddFinal,
  oddNatural,
  oddReceive,
  oddThrow,
];
