import { awaitedActivities } from '../../../activities/engine/await-step.ts';
import { type SignaturesOf, stepsOf } from '../../../activities/engine/flow-activities.ts';
import { outsideActivities } from '../../../activities/engine/outside-step.ts';
import { statementActivities } from '../../../activities/engine/statement-step.ts';
import { paymentSteps } from '../../../activities/payments.ts';
import type { Registration } from '../../../activities/registration.ts';
import type { Stores } from '../../../activities/stores.ts';
import {
  bookingBackwardsFlow,
  bookingConfirmedFlow,
  bookingFinalFlow,
  bookingHastyFlow,
  bookingRefundableFlow,
  bookingUnforeseenFlow,
  bookingVoidableFlow,
} from './booking.flow.ts';
import { finalTicket, seatMap, ticket } from './office-steps.ts';
import { confirm, hold } from './seat-steps.ts';

/** What all bookings have in common: a seat and a payment. */
function paid({ database, payments }: Stores) {
  const { openPayment, authorise, capture } = paymentSteps(payments);
  return {
    hold: statementActivities(database, hold),
    openPayment: outsideActivities(database, openPayment),
    authorise: outsideActivities(database, authorise),
    capture: outsideActivities(database, capture),
    confirm: statementActivities(database, confirm),
  };
}

function ticketed(stores: Stores) {
  return stepsOf<typeof bookingRefundableFlow>()({
    ...paid(stores),
    ticket: outsideActivities(stores.database, ticket),
  });
}

function final(stores: Stores) {
  return stepsOf<typeof bookingFinalFlow>()({
    ...paid(stores),
    ticket: outsideActivities(stores.database, finalTicket),
  });
}

function mapped(stores: Stores) {
  return stepsOf<typeof bookingVoidableFlow>()({
    ...ticketed(stores),
    seatMap: outsideActivities(stores.database, seatMap),
  });
}

function confirmed(stores: Stores) {
  return stepsOf<typeof bookingConfirmedFlow>()({
    ...paid(stores),
    confirmation: awaitedActivities(stores.database, {}),
  });
}

export type BookingSteps = SignaturesOf<ReturnType<typeof mapped>>;

export const bookingActivities: readonly Registration[] = [
  { flow: bookingRefundableFlow, steps: ticketed },
  { flow: bookingFinalFlow, steps: final },
  { flow: bookingVoidableFlow, steps: mapped },
  { flow: bookingHastyFlow, steps: mapped },
  { flow: bookingConfirmedFlow, steps: confirmed },
  { flow: bookingBackwardsFlow, steps: ticketed },
  { flow: bookingUnforeseenFlow, steps: ticketed },
];
