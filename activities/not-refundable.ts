import type { Refusal } from '../workflows/operation/outcome.ts';
import { inTens, moneyText } from './money-text.ts';
import type { Money } from './orders.ts';
import type { Row } from './stores/postgres/database.ts';

/**
 * Why no money of an order was held, from its row: `state`, `left` in minor units, `currency`.
 * @param what names the order as the caller did
 */
export function notRefundable(row: Row | undefined, what: string, asked?: Money): Refusal {
  const left = { minor: Number(row?.left ?? 0), currency: String(row?.currency) };
  switch (row?.state as 'pending' | 'paid' | 'released' | 'cancelling' | 'cancelled' | undefined | null) {
    case undefined:
    case null:
      return { code: 'order-not-refundable', detail: `${what} has made no order in this environment.` };
    case 'pending':
      return {
        code: 'order-pending',
        detail: `${what} is not paid yet: wait for its end, or cancel the operation of its checkout.`,
      };
    case 'released':
      return { code: 'order-not-refundable', detail: `${what} was never paid: there is nothing to give back.` };
    case 'cancelling':
      return {
        code: 'order-pending',
        detail: `${what} is being cancelled: ask again with the same key when that has ended.`,
      };
    // A bank may have sent back what was given back of a cancelled order.
    case 'cancelled':
    case 'paid':
      if (row?.refunding === true)
        return {
          code: 'order-pending',
          detail: `A refund of ${what} is under way: ask again with the same key when that has ended.`,
        };
      if (asked !== undefined && asked.currency !== left.currency)
        return {
          code: 'refund-currency',
          detail: `${what} was paid in ${left.currency}, not in ${asked.currency}: ask in ${left.currency}.`,
          more: { left },
        };
      if (asked !== undefined && asked.minor <= left.minor && isTooFine(asked))
        return {
          code: 'refund-not-in-tens',
          detail: `The provider gives this currency back in tens: ask for ${tensAround(asked).map(moneyText).join(' or ')}.`,
          more: { left },
        };
      return {
        code: 'refund-exceeds',
        detail:
          left.minor === 0
            ? `Nothing is left to give back: ${what} cost nothing, or all of it was given back.`
            : `Of what was paid, ${moneyText(left)} are left to give back: ask for no more than that.`,
        more: { left },
      };
  }
}

function isTooFine({ minor, currency }: Money): boolean {
  return inTens.includes(currency) && minor % 10 !== 0;
}

/** The next ten below and above. Nothing is no refund, and what is left is a ten itself. */
function tensAround({ minor, currency }: Money): readonly Money[] {
  const below = minor - (minor % 10);
  return [below, below + 10].filter((ten) => ten > 0).map((ten) => ({ minor: ten, currency }));
}
