import type { RefundSteps } from '../activities/refund.ts';
import { operation } from './engine/operation.ts';
import { finish, step } from './engine/step.ts';
import { refundFlow } from './refund.flow.ts';

/** Money is held, given back and recorded. What the provider refuses is free again. */
export const refund = operation<typeof refundFlow, RefundSteps>(refundFlow, async (story) => {
  const { checkout, amount, reason } = story.request;
  const held = await step(story, 'hold', { checkout, amount, reason });
  const { refund: providerRefund } = await step(story, 'giveBack', { ...held, reason });
  const { refundId, orderId } = held;
  await finish(story, 'record', { refund: providerRefund }, { refundId, orderId, amount: held.amount, providerRefund });
});
