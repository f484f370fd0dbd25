import { awaitStep } from '../../../workflows/engine/await-step.ts';
import { attempt } from '../../../workflows/engine/attempt.ts';
import { ownedId } from '../../../workflows/operation/key.ts';
import { operation } from '../../../workflows/engine/operation.ts';
import { finish, step } from '../../../workflows/engine/step.ts';
import type { Story } from '../../../workflows/engine/story.ts';
import {
  bookingBackwardsFlow,
  bookingConfirmedFlow,
  bookingFinalFlow,
  bookingHastyFlow,
  bookingRefundableFlow,
  bookingUnforeseenFlow,
  bookingVoidableFlow,
} from './booking.flow.ts';
import type { BookingSteps as Steps } from './booking-activities.ts';

/** Three flows tell the same story; their declarations say what becomes of it when it fails. */
type PaidFirst = typeof bookingRefundableFlow | typeof bookingFinalFlow | typeof bookingUnforeseenFlow;

async function paidFirst(story: Story<PaidFirst, Steps>): Promise<void> {
  const { seat, paymentMethod, office } = story.request;
  const { amount } = await step(story, 'hold', { seat });
  const { paymentIntent } = await step(story, 'openPayment', { amount, orderId: ownedId('bk', story.id) });
  await step(story, 'authorise', { paymentIntent, paymentMethod });
  await step(story, 'capture', { paymentIntent, amount });
  const { number: ticket } = await step(story, 'ticket', { office, seat });
  await finish(story, 'confirm', null, { seat, ticket, paymentIntent, seatMap: null });
}

export const bookingRefundable = operation<typeof bookingRefundableFlow, Steps>(bookingRefundableFlow, paidFirst);
export const bookingFinal = operation<typeof bookingFinalFlow, Steps>(bookingFinalFlow, paidFirst);
export const bookingUnforeseen = operation<typeof bookingUnforeseenFlow, Steps>(bookingUnforeseenFlow, paidFirst);

async function ticketFirst(story: Story<typeof bookingVoidableFlow | typeof bookingHastyFlow, Steps>): Promise<void> {
  const { seat, paymentMethod, office } = story.request;
  const { amount } = await step(story, 'hold', { seat });
  const drawn = await attempt(story, 'seatMap', { office, seat });
  const { paymentIntent } = await step(story, 'openPayment', { amount, orderId: ownedId('bk', story.id) });
  await step(story, 'authorise', { paymentIntent, paymentMethod });
  const { number: ticket } = await step(story, 'ticket', { office, seat });
  await step(story, 'capture', { paymentIntent, amount });
  const seatMap = drawn.kind === 'done' ? drawn.result.number : null;
  await finish(story, 'confirm', null, { seat, ticket, paymentIntent, seatMap });
}

export const bookingVoidable = operation<typeof bookingVoidableFlow, Steps>(bookingVoidableFlow, ticketFirst);
export const bookingHasty = operation<typeof bookingHastyFlow, Steps>(bookingHastyFlow, ticketFirst);

export const bookingConfirmed = operation<typeof bookingConfirmedFlow, Steps>(bookingConfirmedFlow, async (story) => {
  const { seat, paymentMethod } = story.request;
  const { amount } = await step(story, 'hold', { seat });
  const { paymentIntent } = await step(story, 'openPayment', { amount, orderId: ownedId('bk', story.id) });
  await step(story, 'authorise', { paymentIntent, paymentMethod });
  const { reference } = await awaitStep(story, 'confirmation');
  await step(story, 'capture', { paymentIntent, amount });
  await finish(story, 'confirm', null, { seat, ticket: reference, paymentIntent, seatMap: null });
});

export const bookingBackwards = operation<typeof bookingBackwardsFlow, Steps>(bookingBackwardsFlow, async (story) => {
  const { seat, office } = story.request;
  const { amount } = await step(story, 'hold', { seat });
  await step(story, 'ticket', { office, seat });
  await step(story, 'openPayment', { amount, orderId: ownedId('bk', story.id) });
});
