import type { Stores } from '../../../activities/create-activities.ts';
import { type Activity, namedActivities } from '../../../activities/engine/named-activities.ts';
import { awaitedActivities } from '../../../activities/engine/await-step.ts';
import { paymentSteps } from '../../../activities/payments.ts';
import { outsideActivities, transactionActivities } from '../../../activities/engine/run-step.ts';
import { finalTicket, seatMap, ticket } from './office-steps.ts';
import { confirm, hold } from './seat-steps.ts';

export function bookingActivities({ database, stripe, sandboxed }: Stores): Record<string, Activity> {
  const payments = paymentSteps(stripe, sandboxed);
  const paid = {
    hold: transactionActivities(database, hold),
    openPayment: outsideActivities(database, payments.openPayment),
    authorise: outsideActivities(database, payments.authorise),
    capture: outsideActivities(database, payments.capture),
    confirm: transactionActivities(database, confirm),
  };
  const ticketed = { ...paid, ticket: outsideActivities(database, ticket) };
  return {
    ...namedActivities(database, 'bookingRefundable', ticketed),
    ...namedActivities(database, 'bookingFinal', { ...paid, ticket: outsideActivities(database, finalTicket) }),
    ...namedActivities(database, 'bookingVoidable', { ...ticketed, seatMap: outsideActivities(database, seatMap) }),
    ...namedActivities(database, 'bookingHasty', { ...ticketed, seatMap: outsideActivities(database, seatMap) }),
    ...namedActivities(database, 'bookingConfirmed', { confirmation: awaitedActivities(database, {}) }),
    ...namedActivities(database, 'bookingConfirmed', paid),
    ...namedActivities(database, 'bookingBackwards', ticketed),
    ...namedActivities(database, 'bookingUnforeseen', ticketed),
  };
}
