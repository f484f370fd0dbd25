import { z } from 'zod';
import { cancellationFlow } from '../workflows/cancellation.flow.ts';
import { ownedId } from '../workflows/operation/key.ts';
import { type SignaturesOf, stepsOf } from './engine/flow-activities.ts';
import { outsideActivities } from './engine/outside-step.ts';
import { type StatementStep, statementActivities } from './engine/statement-step.ts';
import { giveBack } from './give-back.ts';
import { notRefundable } from './not-refundable.ts';
import { money } from './orders.ts';
import type { Registration } from './registration.ts';
import { cancelOrder } from './stores/postgres/orders/cancel-order.ts';
import { restoreOrder, type Withdrawn, withdrawOrder } from './stores/postgres/orders/withdraw-order.ts';
import type { Stores } from './stores.ts';

type Asked = { readonly orderId: string; readonly reason: string | undefined };

/** From here on nobody sends or credits anything for the order. */
const withdraw: StatementStep<Asked, Withdrawn> = {
  effect: (asked, about) => withdrawOrder({ ...asked, refund: ownedId('rf', about.operation) }, about, about.step),
  result: z.object({ payment: z.string().nullable(), amount: money, refundId: z.string() }),
  refusal: (row, { orderId }) =>
    row?.state === 'cancelled'
      ? { code: 'order-not-refundable', detail: `Order ${orderId} is cancelled already.` }
      : notRefundable(row, `Order ${orderId}`),
  undo: async (tx, { operation }) => void (await tx.run(restoreOrder(operation))),
};

const record = (provider: string): StatementStep<{ readonly refund: string | null }, null> => ({
  effect: ({ refund }, { operation, step }) => cancelOrder(operation, { provider, object: refund }, step),
  result: z.null(),
  refusal(_row, _input, { operation }) {
    throw new Error(`The order of ${operation} is not being cancelled: it cannot be recorded`);
  },
});

function steps({ database, payments: { provider } }: Stores) {
  return stepsOf<typeof cancellationFlow>()({
    withdraw: statementActivities(database, withdraw),
    giveBack: outsideActivities(database, giveBack(provider)),
    record: statementActivities(database, record(provider.name)),
  });
}

export type CancellationSteps = SignaturesOf<ReturnType<typeof steps>>;

export const registration: Registration = { flow: cancellationFlow, steps };
