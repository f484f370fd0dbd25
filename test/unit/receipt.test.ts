import { expect, it } from 'vitest';
import { receipt } from '../../activities/mail/receipt.ts';

const told = {
  order: 'ord_0123456789abcdefghjkmnpqrs',
  amount: 2_400,
  currency: 'eur',
  discount: 100,
  email: 'ann@example.com',
  items: [
    { name: 'Blue mug', quantity: 2, price: 1_250 },
    { name: 'Card <b>"large" & \'fine\'</b>', quantity: 1, price: 0 },
  ],
};

it('writes order, items, discount and total, the money in its own decimals', () => {
  const { to, subject, text } = receipt.write(told);
  expect(to).toEqual({ address: 'ann@example.com' });
  expect(subject).toBe('Your receipt for order ord_0123456789abcdefghjkmnpqrs');
  expect(text.split('\n').map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
    ...['Thank you for your order.', '', 'Order ord_0123456789abcdefghjkmnpqrs', ''],
    '2 × Blue mug 25.00 EUR',
    '1 × Card <b>"large" & \'fine\'</b> 0.00 EUR',
    'Discount −1.00 EUR',
    ...['Total 24.00 EUR', ''],
  ]);
});

it.each([
  ['jpy', 1_250, '1250 JPY'],
  ['kwd', 1_250, '1.250 KWD'],
])('writes %s as it is counted', (currency, amount, words) => {
  expect(receipt.write({ ...told, currency, amount, discount: 0, items: [] }).text).toContain(`Total  ${words}`);
});

it('escapes in HTML what others have named', () => {
  const { html } = receipt.write(told);
  expect(html).toContain('1 × Card &lt;b&gt;&quot;large&quot; &amp; &#39;fine&#39;&lt;/b&gt;');
  expect(html).not.toContain('<b>');
  expect(html).toContain('24.00 EUR');
});

it('writes what the former build told, which named no items', () => {
  const { order, amount, currency, email } = told;
  expect(receipt.write({ order, amount, currency, email }).text).toContain('Total  24.00 EUR');
});

it('throws for a payload of another form, so that it waits for a person', () => {
  expect(() => receipt.write({ ...told, amount: '24.00' })).toThrow();
  expect(() => receipt.write({ ...told, email: null })).toThrow();
});

it('is sent again where it may have left: a second receipt harms less than none', () => {
  expect(receipt.repeats).toBe('at_least_once');
});
