import { z } from 'zod';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { days } from '../../workflows/operation/duration.ts';
import { declareMessage, type MailMessage } from '../delivery/declared-message.ts';
import { moneyText } from '../money-text.ts';
import { escapeHtml } from './escape-html.ts';

/** Amounts are minor units of the order's currency. Orders of the former build tell no items. */
const payload = z.object({
  order: z.string(),
  amount: z.int(),
  currency: z.string(),
  discount: z.int().default(0),
  email: z.string(),
  items: z.array(z.object({ name: z.string(), quantity: z.int(), price: z.int() })).default([]),
});

type Line = { readonly what: string; readonly amount: string };

/** The receipt of a checkout. A buyer who gets it twice has paid once; one who gets none does not know. */
export const receipt: MailMessage = declareMessage({
  type: 'receipt.requested',
  repeats: 'at_least_once',
  // A mail server that fails on a Friday is mended on Monday.
  patience: days(3),
  sealed: { flow: checkoutFlow.name, fields: ['email'] satisfies (typeof checkoutFlow)['sealed'] },
  payload,
  write(told) {
    const lines = linesOf(told);
    const subject = `Your receipt for order ${told.order}`;
    return { to: { address: told.email }, subject, text: plain(told.order, lines), html: page(told.order, lines) };
  },
});

function linesOf({ items, discount, amount, currency }: z.infer<typeof payload>): readonly Line[] {
  const money = (minor: number) => moneyText({ minor, currency });
  return [
    ...items.map(({ name, quantity, price }) => ({ what: `${quantity} × ${name}`, amount: money(quantity * price) })),
    ...(discount === 0 ? [] : [{ what: 'Discount', amount: `−${money(discount)}` }]),
    { what: 'Total', amount: money(amount) },
  ];
}

function plain(order: string, lines: readonly Line[]): string {
  const width = Math.max(...lines.map(({ what }) => what.length));
  const long = Math.max(...lines.map(({ amount }) => amount.length));
  const rows = lines.map(({ what, amount }) => `${what.padEnd(width)}  ${amount.padStart(long)}`);
  return ['Thank you for your order.', '', `Order ${order}`, '', ...rows, ''].join('\n');
}

function page(order: string, lines: readonly Line[]): string {
  const rows = lines.map(
    ({ what, amount }) =>
      `<tr><td style="padding-right:2em">${escapeHtml(what)}</td><td style="text-align:right">${escapeHtml(amount)}</td></tr>`,
  );
  return (
    '<!doctype html><html lang="en"><meta charset="utf-8"><body style="font-family:sans-serif">' +
    `<p>Thank you for your order.</p><p>Order ${escapeHtml(order)}</p><table>${rows.join('')}</table></body></html>`
  );
}
