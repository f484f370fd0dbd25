import { z } from 'zod';
import { ownedId } from '../workflows/operation/key.ts';
import type { Refusal } from '../workflows/operation/outcome.ts';
import type { StatementStep } from './engine/statement-step.ts';
import type { About } from './stores/about.ts';
import { payOrder } from './stores/postgres/orders/pay-order.ts';
import { releaseOrder } from './stores/postgres/orders/release-order.ts';
import {
  type Line,
  orderHolder,
  type Reservation,
  reserveOrder,
  type Unreserved,
  unreserved,
} from './stores/postgres/orders/reserve-order.ts';

export const money = z.object({ minor: z.number(), currency: z.string() }).readonly();
export type Money = z.infer<typeof money>;

type OrderSteps = {
  reserve: {
    input: { readonly cartId: string; readonly items: readonly Line[]; readonly email?: string | undefined };
    result: { readonly orderId: string; readonly amount: Money };
  };
  complete: { input: { readonly paymentIntent: string }; result: null };
};

/** Prices, stock and orders, all of them rows of ours. */
export const reserve: StatementStep<OrderSteps['reserve']['input'], OrderSteps['reserve']['result']> = {
  effect: (input, about) => reserveOrder(reservationOf(input, about), about.step),
  result: z.object({ orderId: z.string(), amount: money }),
  async refusal(row, input, about, ask) {
    const reservation = reservationOf(input, about);
    const why = unreserved(row);
    const [holders] = why.kind === 'taken' ? await ask(orderHolder(reservation)) : [];
    const holder = holders?.[0];
    return refusalOf(
      why,
      reservation.cart,
      holder?.own === true ? 'own' : holder?.state === 'paid' ? 'paid' : 'pending',
    );
  },
  async undo(tx, { operation }) {
    await tx.run(releaseOrder(operation));
  },
};

export const complete: StatementStep<OrderSteps['complete']['input'], null> = {
  effect: ({ paymentIntent }, { operation, step }) => payOrder(operation, paymentIntent, step),
  result: z.null(),
  refusal(_row, _input, { operation }) {
    throw new Error(`The order of ${operation} is not pending: it cannot be paid`);
  },
};

type Holder = 'own' | 'paid' | 'pending';

function reservationOf(
  { cartId, items, email }: OrderSteps['reserve']['input'],
  { operation, tenant, environment }: About,
): Reservation {
  return {
    order: ownedId('ord', operation),
    operation,
    tenant,
    environment,
    cart: cartId,
    email: email ?? null,
    lines: items,
  };
}

function refusalOf(outcome: Unreserved, cart: string, holder: Holder): Refusal {
  switch (outcome.kind) {
    case 'unknown':
      return {
        code: 'sku-unknown',
        detail: `The catalogue has no item ${outcome.skus.join(', ')}: take it out of the cart.`,
        more: { skus: outcome.skus },
      };
    case 'short':
      return {
        code: 'out-of-stock',
        detail: outcome.items.map((item) => `${item.sku}: ${item.asked} asked, ${item.stock} in stock`).join('; '),
        more: { items: outcome.items },
      };
    case 'mixed':
      return {
        code: 'currencies-mixed',
        detail: 'The items of one cart must have one currency: make a cart for each currency.',
      };
    case 'taken':
      return takenBy(holder, cart);
  }
}

function takenBy(holder: Holder, cart: string): Refusal {
  switch (holder) {
    case 'own':
      return {
        code: 'key-expired',
        detail: 'This key made an order so long ago that its answer is forgotten: make a new key.',
      };
    case 'paid':
      return { code: 'cart-already-paid', detail: `Cart ${cart} was paid by another request: begin a new cart.` };
    case 'pending':
      return {
        code: 'cart-in-progress',
        detail: `Another request is checking out cart ${cart}: ask again with the same key when it has ended.`,
      };
  }
}
