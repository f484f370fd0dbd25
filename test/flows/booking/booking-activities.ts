import type { Stores } from '../../../activities/create-activities.ts';
import { type Activity, namedActivities } from '../../../activities/engine/named-activities.ts';
import { awaitedActivities } from '../../../activities/engine/await-step.ts';
import { paymentSteps } from '../../../activities/payments.ts';
import { outsideActivities } from '../../../activities/engine/outside-step.ts';
import { statementActivities } from '../../../activities/engine/statement-step.ts';
import { finalTicket, seatMap, ticket } from './office-steps.ts';
import { confirm, hold } from './seat-steps.ts';

export function bookingActivities({ database, stripe, sandboxed }: Stores): Record<string, Activity> {
  const payments = paymentSteps(stripe, sandboxed);
  const paid = {
    hold: statementActivities(database, hold),
    openPayment: outsideActivities(database, payments.openPayment),
    authorise: outsideActivities(database, payments.authorise),
    capture: outsideActivities(database, payments.capture),
    confirm: statementActivities(database, confirm),
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
