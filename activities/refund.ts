import { z } from 'zod';
import { ownedId } from '../workflows/operation/key.ts';
import type { Refusal } from '../workflows/operation/outcome.ts';
import { refundFlow } from '../workflows/refund.flow.ts';
import { type SignaturesOf, stepsOf } from './engine/flow-activities.ts';
import { outsideActivities } from './engine/outside-step.ts';
import { type StatementStep, statementActivities } from './engine/statement-step.ts';
import { giveBack } from './give-back.ts';
import { inTens } from './money-text.ts';
import { type Money, money } from './orders.ts';
import { notRefundable } from './not-refundable.ts';
import type { Registration } from './registration.ts';
import { type HeldRefund, holdRefund } from './stores/postgres/orders/hold-refund.ts';
import { recordRefund } from './stores/postgres/orders/record-refund.ts';
import { withdrawRefund } from './stores/postgres/orders/withdraw-refund.ts';
import type { Stores } from './stores.ts';

type Asked = {
  readonly checkout: string;
  readonly amount: Money | undefined;
  readonly reason: string | undefined;
};

/** Holds what is to be given back, so that nobody else gives it back too. */
const hold: StatementStep<Asked, HeldRefund> = {
  effect: (asked, about) => holdRefund({ ...asked, inTens, refund: ownedId('rf', about.operation) }, about, about.step),
  result: z.object({ refundId: z.string(), orderId: z.string(), payment: z.string(), amount: money }),
  refusal: (row, { checkout, amount }): Refusal => notRefundable(row, `Checkout ${checkout}`, amount),
  undo: async (tx, { operation }) => void (await tx.run(withdrawRefund(operation))),
};

const record = (provider: string): StatementStep<{ readonly refund: string }, null> => ({
  effect: ({ refund }, { operation, step }) => recordRefund(operation, { provider, object: refund }, step),
  result: z.null(),
  refusal(_row, _input, { operation }) {
    throw new Error(`The refund of ${operation} is not held: it cannot be recorded`);
  },
});

function steps({ database, payments: { provider } }: Stores) {
  return stepsOf<typeof refundFlow>()({
    hold: statementActivities(database, hold),
    giveBack: outsideActivities(database, giveBack(provider)),
    record: statementActivities(database, record(provider.name)),
  });
}

export type RefundSteps = SignaturesOf<ReturnType<typeof steps>>;

export const registration: Registration = { flow: refundFlow, steps };
