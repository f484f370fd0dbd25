import { invalidRequest } from './stripe-error.ts';

/** Stripe, "Three-decimal currencies": the last digit of an amount is 0. */
const THREE_DECIMALS = new Set(['bhd', 'jod', 'kwd', 'omr', 'tnd']);

/** Refuses what is no ten in a currency with three decimals. */
export function inTens(amount: number, currency: string, param: string): number {
  if (!THREE_DECIMALS.has(currency) || amount % 10 === 0) return amount;
  throw invalidRequest(`Invalid amount: the last digit must be 0 in ${currency}, which has three decimals.`, { param });
}
