import { z } from 'zod';
import { days, hours, minutes } from '../../../workflows/operation/duration.ts';
import { defineFlow } from '../../../workflows/operation/flow.ts';
import type { StepDeclaration } from '../../../workflows/operation/step-declaration.ts';
import { bookingConfirmedFlow, bookingFinalFlow, bookingRefundableFlow } from '../booking/booking.flow.ts';

/** Flows that pass every check of their declaration, and whose code is at fault, or whose outside behaves oddly. */
function odd<const Steps extends Readonly<Record<string, StepDeclaration>>>(name: string, steps: Steps) {
  return defineFlow({
    name,
    version: 1,
    title: 'Book a seat, oddly',
    route: name,
    request: z.strictObject({ seat: z.string(), paymentMethod: z.string(), office: z.url() }),
    result: z.object({ seat: z.string(), ticket: z.string() }),
    intent: ['seat', 'paymentMethod', 'office'],
    keyScope: 'subject',
    answers: 'outcome',
    workflow: 'tells',
    failures: bookingFinalFlow.failures ?? {},
    renewsAfter: [],
    patience: minutes(10),
    ...(Object.values(steps).some(({ calls }) => calls !== undefined) ? { retries: 'interactive' } : {}),
    undoPatience: hours(24),
    personAfter: minutes(15),
    retryHorizon: days(3),
    retention: { response: days(30), tombstone: days(400), because: 'A test needs its answers for minutes only.' },
    steps,
  });
}

const { hold, confirm } = bookingFinalFlow.steps;
const { ticket } = bookingRefundableFlow.steps;

/** The office knows no keys of requests: a ticket is asked for by nature once. */
export const oddNaturalFlow = odd('oddNatural', { hold, ticket: { ...ticket, effect: 'natural' }, confirm });
/** The last step says no, behind a ticket that nobody takes back. */
export const oddFinalFlow = odd('oddFinal', { hold, ticket: bookingFinalFlow.steps.ticket, confirm });
/** The story holds the seat a second time, after the ticket. */
export const oddAgainFlow = odd('oddAgain', { hold, ticket, confirm });
/** The story fails by an error of its own. */
export const oddThrowFlow = odd('oddThrow', { hold, ticket, confirm });
/** A step that waits and has the name of the one that uploads wait with. */
export const oddReceiveFlow = odd('oddReceive', { hold, receive: bookingConfirmedFlow.steps.confirmation, confirm });

export type OddFlow =
  | typeof oddNaturalFlow
  | typeof oddFinalFlow
  | typeof oddAgainFlow
  | typeof oddThrowFlow
  | typeof oddReceiveFlow;
