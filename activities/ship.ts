import { z } from 'zod';
import { shipFlow } from '../workflows/ship.flow.ts';
import type { RequestOf } from '../workflows/operation/flow.ts';
import { ownedId } from '../workflows/operation/key.ts';
import { settleInClaim } from './engine/settle-in-claim.ts';
import type { StatementStep } from './engine/statement-step.ts';
import { unpaid } from './paid-order.ts';
import type { Registration } from './registration.ts';
import { shipOrder } from './stores/postgres/orders/ship-order.ts';

const request: StatementStep<RequestOf<typeof shipFlow>, { readonly shipmentId: string }> = {
  effect: (order, { step, ...about }) => shipOrder(order, ownedId('shp', about.operation), about, step),
  result: z.object({ shipmentId: z.string() }),
  refusal: unpaid,
};

export const registration: Registration = {
  flow: shipFlow,
  inClaim: (database) => settleInClaim(database, shipFlow, request),
};
