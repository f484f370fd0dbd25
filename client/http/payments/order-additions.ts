import type { FastifyRequest } from 'fastify';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { orderOperation } from '../../../activities/stores/postgres/orders/order-operation.ts';
import { cancellationFlow } from '../../../workflows/cancellation.flow.ts';
import { checkoutFlow } from '../../../workflows/checkout.flow.ts';
import { refundFlow } from '../../../workflows/refund.flow.ts';
import type { Gateway } from '../../gateway.ts';
import { operationId } from '../documented/schemas.ts';
import type { FlowAdditions } from '../flow-additions.ts';
import { shownOperation } from '../operations/shown-operations.ts';
import { HttpProblem } from '../problems/http-problem.ts';

type OrderParts = { readonly gateway: Gateway; readonly database: Database };

/** Who may see a checkout may have its money given back, and its order cancelled; to anybody else there is none. */
export function orderAdditions({ gateway, database }: OrderParts): readonly FlowAdditions[] {
  const expectShown = async ({ caller }: FastifyRequest, id: string | undefined, what: string): Promise<void> => {
    const shown = id === undefined ? undefined : await shownOperation(gateway, caller, id).catch(unlessHidden);
    if (shown?.flow !== checkoutFlow.name) throw new HttpProblem('not-found', `There is no such ${what}.`);
  };
  return [
    {
      flow: refundFlow,
      searched: { checkout: operationId.optional() },
      mayAsk: async ({ checkout }, request) => await expectShown(request, checkout as string, 'checkout'),
    },
    {
      flow: cancellationFlow,
      mayAsk: async ({ orderId }, request) => {
        const id = await orderOperation(database, request.caller.tenant, orderId as string);
        await expectShown(request, id, 'order');
      },
    },
  ];
}

function unlessHidden(error: unknown): undefined {
  if (error instanceof HttpProblem && error.refusal.code === 'not-found') return undefined;
  throw error;
}
