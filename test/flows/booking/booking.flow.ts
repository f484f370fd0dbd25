import { z } from 'zod';
import { days, hours, minutes, seconds } from '../../../workflows/operation/duration.ts';
import { type FailureRows, newKey } from '../../../workflows/operation/failures.ts';
import { defineFlow } from '../../../workflows/operation/flow.ts';
import { paymentFailures } from '../../../workflows/payment.failures.ts';
import type { StepDeclaration } from '../../../workflows/operation/step-declaration.ts';

/**
 * Holds a seat, takes the money and has an outside office issue the ticket, in three forms that lose nothing. They
 * differ in what the office takes back, and in the step that neither a cancel nor the end of patience can stop.
 */

const hold = {
  effect: 'transaction',
  says: 'Holding the seat',
  undo: 'own',
  refusable: true,
} as const satisfies StepDeclaration;

const openPayment = {
  effect: 'keyed',
  says: 'Opening the payment',
  undo: 'own',
  refusable: true,
  placement: 'outside',
  calls: 'payments',
} as const satisfies StepDeclaration;

const authorise = {
  effect: 'keyed',
  says: 'Confirming the payment with the bank',
  undo: { coveredBy: 'openPayment' },
  refusable: true,
  placement: 'outside',
  calls: 'payments',
} as const satisfies StepDeclaration;

const capture = { ...authorise, says: 'Capturing the payment' } as const satisfies StepDeclaration;

const seatMap = {
  effect: 'keyed',
  says: 'Drawing the way to the seat',
  undo: 'own',
  refusable: true,
  placement: 'outside',
  calls: 'office',
  optional: { within: minutes(2) },
} as const satisfies StepDeclaration;

const ticket = {
  effect: 'keyed',
  says: 'Having the ticket issued',
  undo: 'own',
  refusable: true,
  placement: 'outside',
  calls: 'office',
} as const satisfies StepDeclaration;

const confirm = {
  effect: 'transaction',
  says: 'Confirming the booking',
  undo: 'nothing',
  refusable: false,
} as const satisfies StepDeclaration;

const bookingFailures = {
  'seat-taken': { status: 409, title: 'The seat is taken', ...newKey },
} as const satisfies FailureRows;

type BookingFailures = typeof bookingFailures;
declare module '../../../workflows/operation/failures.ts' {
  interface FlowFailures extends BookingFailures {}
}

/** A request that works, at an office that nobody reaches: whoever sends it puts an office of its own in its place. */
const example = { seat: '12A', paymentMethod: 'pm_card_visa', office: 'https://office.example' };

/** @param examples none where no request of the flow ends as it should: the fault matrix then leaves it out */
function booking<const Steps extends Readonly<Record<string, StepDeclaration>>>(
  name: string,
  steps: Steps,
  examples: readonly (typeof example)[] = [example],
) {
  return defineFlow({
    name,
    version: 1,
    title: 'Book a seat',
    route: name,
    request: z
      .strictObject({
        seat: z.string().min(1).max(100),
        paymentMethod: z.string().regex(/^pm_/),
        /** The ticket office's address: each test has an office of its own. */
        office: z.url(),
      })
      .meta(examples.length === 0 ? {} : { examples: [...examples] }),
    result: z.object({
      seat: z.string(),
      ticket: z.string(),
      paymentIntent: z.string(),
      seatMap: z.string().nullable(),
    }),
    intent: ['seat', 'paymentMethod', 'office'],
    keyScope: 'subject',
    answers: 'outcome',
    workflow: 'tells',
    failures: { ...bookingFailures, ...paymentFailures },
    refusals: ['seat-taken', 'amount-too-small', 'card-declined', 'payment-cancelled'],
    renewsAfter: [],
    patience: minutes(10),
    retries: 'interactive',
    undoPatience: hours(24),
    personAfter: minutes(15),
    retryHorizon: days(3),
    retention: { response: days(30), tombstone: days(400), because: 'A test needs its answers for minutes only.' },
    steps,
  });
}

/** The money is taken first, and refunded where the office then refuses the ticket. */
export const bookingRefundableFlow = booking('bookingRefundable', {
  hold,
  openPayment,
  authorise,
  capture: { ...capture, uncancellable: true },
  ticket,
  confirm,
});

/** The office never takes a ticket back, so the ticket comes last: everything before it can still be undone. */
export const bookingFinalFlow = booking('bookingFinal', {
  hold,
  openPayment,
  authorise,
  capture,
  ticket: { ...ticket, undo: 'irreversible', resolvedAs: z.strictObject({ number: z.string().min(1) }) },
  confirm,
});

/** The ticket is issued before the money is taken, and voided if that fails. The seat map may be left out. */
export const bookingVoidableFlow = booking('bookingVoidable', {
  hold,
  seatMap,
  openPayment,
  authorise,
  ticket,
  capture: { ...capture, uncancellable: true },
  confirm,
});

/** The same, by a shop that hardly waits for a seat map: whether it has one depends on the time, so it has no example. */
export const bookingHastyFlow = booking(
  'bookingHasty',
  { ...bookingVoidableFlow.steps, seatMap: { ...seatMap, optional: { within: seconds(4) } } },
  [],
);

/** What the bank tells. */
const told = z.object({ operation: z.string().optional(), reference: z.string(), at: z.string() });

/**
 * The customer confirms at the bank's page between the authorisation and the capture; while that is waited for, nothing else
 * happens. A booking that nobody confirms is given back.
 */
export const bookingConfirmedFlow = booking('bookingConfirmed', {
  hold,
  openPayment,
  authorise,
  confirmation: {
    effect: 'await',
    says: 'Waiting for the customer to confirm at the bank',
    undo: 'nothing',
    placement: 'outside',
    patience: minutes(30),
    evidence: z
      .strictObject({ reference: z.string().min(1), confirmedAt: z.string() })
      .meta({ examples: [{ reference: 'bank-4711', confirmedAt: '2026-01-02' }] }),
    same: ['reference'],
    on: {
      from: 'bank',
      types: ['payment.confirmed'],
      operation: ({ data }) => told.parse(data).operation,
      evidence({ data }) {
        const { reference, at } = told.parse(data);
        return { reference, confirmedAt: at };
      },
    },
    next: "Confirm the payment at the bank's page.",
    expired: 'The payment was not confirmed in time. Nothing was charged.',
  },
  capture: { ...capture, uncancellable: true },
  confirm,
});

/** A bug: its story goes back in this order. */
export const bookingBackwardsFlow = booking('bookingBackwards', bookingRefundableFlow.steps, []);

/** A bug: the office does refuse tickets. */
export const bookingUnforeseenFlow = booking(
  'bookingUnforeseen',
  { ...bookingRefundableFlow.steps, ticket: { ...ticket, refusable: false } },
  [],
);

export type BookingFlow =
  | typeof bookingRefundableFlow
  | typeof bookingFinalFlow
  | typeof bookingVoidableFlow
  | typeof bookingHastyFlow
  | typeof bookingConfirmedFlow
  | typeof bookingUnforeseenFlow;

export type BookingStep = Exclude<
  keyof (typeof bookingVoidableFlow)['steps'] | keyof (typeof bookingConfirmedFlow)['steps'],
  'confirmation'
>;
