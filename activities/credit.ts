import { z } from 'zod';
import { creditFlow } from '../workflows/credit.flow.ts';
import type { RequestOf } from '../workflows/operation/flow.ts';
import { ownedId } from '../workflows/operation/key.ts';
import { settleInClaim } from './engine/settle-in-claim.ts';
import type { StatementStep } from './engine/statement-step.ts';
import { unpaid } from './paid-order.ts';
import type { Registration } from './registration.ts';
import { creditOrder } from './stores/postgres/orders/credit-order.ts';

const credit: StatementStep<RequestOf<typeof creditFlow>, { readonly creditId: string }> = {
  effect: (order, { step, ...about }) => creditOrder(order, ownedId('crd', about.operation), about, step),
  result: z.object({ creditId: z.string() }),
  refusal: unpaid,
};

export const registration: Registration = {
  flow: creditFlow,
  inClaim: (database) => settleInClaim(database, creditFlow, credit),
};
