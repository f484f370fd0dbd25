import { z } from 'zod';
import { ownedId } from '../workflows/operation/key.ts';
import type { Refusal } from '../workflows/operation/outcome.ts';
import { charged, inTens, isCharged, moneyText } from './money-text.ts';
import type { StatementStep } from './engine/statement-step.ts';
import { BuyerEmail } from './buyer-email.ts';
import type { Seals } from './seal/seals.ts';
import type { About } from './stores/about.ts';
import { payOrder } from './stores/postgres/orders/pay-order.ts';
import { releaseOrder } from './stores/postgres/orders/release-order.ts';
import {
  type Line,
  promoPending,
  promoUse,
  orderHolder,
  type Price,
  type Reservation,
  reserveOrder,
  type Unreserved,
  unreserved,
} from './stores/postgres/orders/reserve-order.ts';

export const money = z.object({ minor: z.number(), currency: z.string() }).readonly();
export type Money = z.infer<typeof money>;

type OrderSteps = {
  reserve: {
    input: {
      readonly cartId: string;
      readonly items: readonly Line[];
      readonly email?: string | undefined;
      readonly expected?: Price | undefined;
      readonly promo?: string | undefined;
      readonly currency?: string | undefined;
    };
    result: { readonly orderId: string; readonly amount: Money; readonly discount?: Money | undefined };
  };
  /** Without a payment where the order costs nothing. */
  complete: { input: { readonly paymentIntent: string | null }; result: null };
};

/** Prices, stock and orders, all of them rows of ours. */
export const reserve = (
  seals: Seals,
): StatementStep<OrderSteps['reserve']['input'], OrderSteps['reserve']['result']> => ({
  effect: (input, about) => reserveOrder(reservationOf(seals, input, about), about.step),
  result: z.object({ orderId: z.string(), amount: money, discount: money.optional() }),
  async refusal(row, input, about, ask) {
    const { currency } = input;
    if (currency !== undefined && !isCharged(currency))
      return {
        code: 'currency-not-offered',
        detail: `Nothing is charged in ${currency}: leave the currency out, or choose another.`,
      };
    const reservation = reservationOf(seals, input, about);
    const why = unreserved(row);
    // A cart that is being paid, or has been, is told so, whatever else has changed since.
    const [holders] = await ask(orderHolder(reservation));
    const [holder] = holders ?? [];
    if (holder === undefined && why.kind === 'taken' && reservation.promo !== null) {
      const [uses] = await ask(promoUse(reservation));
      const [use] = uses ?? [];
      if (use !== undefined) return usedBy(reservation.promo, use.pending === true);
    }
    if (holder !== undefined || why.kind === 'taken')
      return takenBy(holder?.own === true ? 'own' : holder?.state === 'paid' ? 'paid' : 'pending', reservation.cart);
    if (why.kind !== 'promo') return refusalOf(why);
    const [pending] = why.because === 'used' ? await ask(promoPending(reservation)) : [];
    return unofferedBy(reservation.promo ?? '', why.because, pending?.[0]?.pending === true);
  },
  async undo(tx, { operation }) {
    await tx.run(releaseOrder(operation));
  },
});

export const complete = (provider: string): StatementStep<OrderSteps['complete']['input'], null> => ({
  effect: ({ paymentIntent }, { operation, step }) => payOrder(operation, { provider, object: paymentIntent }, step),
  result: z.null(),
  refusal(_row, _input, { operation }) {
    throw new Error(`The order of ${operation} is not pending: it cannot be paid`);
  },
});

type Holder = 'own' | 'paid' | 'pending';

function reservationOf(
  seals: Seals,
  { cartId, items, email, expected, promo, currency }: OrderSteps['reserve']['input'],
  { operation, tenant, environment }: About,
): Reservation {
  const buyer = new BuyerEmail(seals, email, { tenant, operation });
  return {
    order: ownedId('ord', operation),
    operation,
    tenant,
    environment,
    cart: cartId,
    email: buyer.sealed,
    // Only a promo code asks who buys.
    buyers: promo === undefined ? [] : buyer.names(),
    lines: items,
    expected: expected ?? null,
    promo: promo ?? null,
    currency: currency ?? null,
    inTens,
    charged,
  };
}

/** @param pending by a checkout that is not paid yet */
function usedBy(code: string, pending: boolean): Refusal {
  return pending
    ? {
        code: 'promo-in-use',
        detail: `Another checkout of this buyer holds promo code ${code}: ask again with the same key.`,
      }
    : { code: 'promo-used-by-you', detail: `This buyer has used promo code ${code}, as each may once: leave it out.` };
}

function unofferedBy(
  code: string,
  because: Extract<Unreserved, { kind: 'promo' }>['because'],
  pending: boolean,
): Refusal {
  switch (because) {
    case 'unknown':
      return { code: 'promo-unknown', detail: `There is no promo code ${code}: leave it out, or correct it.` };
    case 'nameless':
      return {
        code: 'promo-needs-email',
        detail: `Each buyer may use promo code ${code} once: say who buys, with \`email\`, or leave the code out.`,
      };
    case 'expired':
      return { code: 'promo-expired', detail: `The promo code ${code} has expired: leave it out.` };
    case 'unfit':
      return { code: 'promo-unfit', detail: `The promo code ${code} is for carts in another currency: leave it out.` };
    case 'used':
      return pending
        ? {
            code: 'promo-in-use',
            detail: `The last use of promo code ${code} is held by a checkout that is not paid yet: ask again with the same key.`,
          }
        : { code: 'promo-used-up', detail: `The promo code ${code} has been used up: leave it out.` };
  }
}

function refusalOf(outcome: Exclude<Unreserved, { kind: 'promo' | 'taken' }>): Refusal {
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
    case 'unpriced':
      return {
        code: 'currency-not-offered',
        detail: `In that currency there is no price of ${outcome.skus.join(', ')}: leave the currency out, or choose another.`,
        more: { skus: outcome.skus },
      };
    case 'priced':
      return {
        code: 'price-changed',
        detail: `The cart now costs ${moneyText(outcome.now)}: show the buyer, and ask with a new key.`,
        more: { amount: outcome.now },
      };
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
