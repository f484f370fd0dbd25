import type { CancellationSteps } from '../activities/cancellation.ts';
import { cancellationFlow } from './cancellation.flow.ts';
import { operation } from './engine/operation.ts';
import { finish, step } from './engine/step.ts';

/** The order is taken back before its money, so that nobody sends what is being refunded. */
export const cancellation = operation<typeof cancellationFlow, CancellationSteps>(cancellationFlow, async (story) => {
  const { orderId, reason } = story.request;
  const { amount, payment, refundId } = await step(story, 'withdraw', { orderId, reason });
  // All of it may have been given back before.
  const given =
    amount.minor === 0 || payment === null
      ? undefined
      : await step(story, 'giveBack', { payment, amount, refundId, reason });
  await finish(
    story,
    'record',
    { refund: given?.refund ?? null },
    { orderId, refunded: amount, ...(given === undefined ? {} : { providerRefund: given.refund }) },
  );
});
