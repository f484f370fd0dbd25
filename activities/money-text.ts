import { dinero, toDecimal } from 'dinero.js';
import * as currencies from 'dinero.js/currencies';
import type { Price } from './stores/postgres/orders/reserve-order.ts';

type Currency = (typeof currencies)[keyof typeof currencies];
const byCode: Readonly<Record<string, Currency>> = Object.fromEntries(
  Object.entries(currencies).map(([code, currency]) => [code.toLowerCase(), currency]),
);

/**
 * Stripe takes these by older rules than ISO 4217 has now: two decimals of which it ignores some. An amount in minor units
 * would be charged a hundred times too small (docs.stripe.com/currencies, "Special cases").
 */
const countedOtherwise: ReadonlySet<string> = new Set(['isk', 'ugx']);

/** Whether amounts of the currency can be charged. @param code three letters in lower case */
export function isCharged(code: string): boolean {
  const currency = Object.hasOwn(byCode, code) ? byCode[code] : undefined;
  // Ouguiya and ariary have fifths, and two units of account have four decimals: no provider takes those.
  return currency?.base === 10 && currency.exponent <= 3 && !countedOtherwise.has(code);
}

/** All that can be charged. */
export const charged: readonly string[] = Object.keys(byCode).filter(isCharged);

/** Currencies with three decimals, of which Stripe takes tens of the minor unit alone. */
export const inTens: readonly string[] = Object.entries(byCode)
  .filter(([, { exponent }]) => exponent === 3)
  .map(([code]) => code);

/** For people: `12.50 EUR`, `1250 JPY`, `1.250 KWD`. */
export function moneyText({ minor, currency }: Price): string {
  const known = byCode[currency];
  if (known?.base !== 10) return `${minor} ${currency} in minor units`;
  return `${toDecimal(dinero({ amount: minor, currency: known }))} ${known.code}`;
}
