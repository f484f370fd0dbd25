import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { inTens, isCharged, moneyText } from '../../activities/money-text.ts';
import { type Answered, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 2 });
});
afterAll(() => world.close());

const code = async (name: string, more: Record<string, unknown>) => {
  const row = {
    ...{ percent: null, off_minor: null, currency: null, most_uses: 1, expires_at: null, once_by_buyer: false },
    ...more,
  };
  await world.sql(
    `insert into hapax.promo_code (tenant, environment, code, percent, off_minor, currency, most_uses, expires_at, once_by_buyer)
     values ($1, 'test', $2, $3, $4, $5, $6, $7, $8)`,
    ...[world.tenants.alpha, name, row.percent, row.off_minor, row.currency, row.most_uses, row.expires_at],
    row.once_by_buyer,
  );
};
const used = async (name: string) =>
  (await world.sql('select used from hapax.promo_code where code = $1 and tenant = $2', name, world.tenants.alpha))[0]
    ?.used;
const captured = async ({ json }: Answered) =>
  (await world.audit({ operation: json.id, type: 'payment_intent.captured' })).map(({ amount, currency }) => [
    amount,
    currency,
  ]);
const codeOf = ({ status, json }: Answered) => [status, json.code];

describe('a promo code', () => {
  it('takes its share off, and the buyer pays the rest', async () => {
    const paid = await world.checkout('welcome', { promo: 'WELCOME10' });
    expect([paid.status, paid.json.amount, paid.json.discount]).toEqual([
      201,
      { minor: 1125, currency: 'eur' },
      { minor: 125, currency: 'eur' },
    ]);
    expect(await captured(paid)).toEqual([[1125, 'eur']]);
    const shown = { minor: 1125, currency: 'eur' };
    expect((await world.checkout('as shown', { promo: 'WELCOME10', expected: shown })).status).toBe(201);
    const other = await world.checkout('not as shown', { promo: 'WELCOME10', expected: { ...shown, minor: 1250 } });
    expect([...codeOf(other), other.json.amount]).toEqual([409, 'price-changed', shown]);
  });

  it('is used as often as it may be, whoever races for it', async () => {
    await code('TWICE', { percent: 50, most_uses: 2 });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => world.checkout(`race ${n}`, { promo: 'TWICE' }, { door: n % 2 })),
    );
    const paid = answers.filter(({ status }) => status === 201);
    expect(paid).toHaveLength(2);
    for (const one of answers.filter(({ status }) => status !== 201))
      expect(['promo-in-use', 'promo-used-up']).toContain(one.json.code);
    expect(await used('TWICE')).toBe(2);
    for (const one of paid) expect(await captured(one)).toEqual([[625, 'eur']]);
    // Who was told to wait asks again with the same key.
    expect(codeOf(await world.checkout('too late', { promo: 'TWICE' }))).toEqual([409, 'promo-used-up']);
  });

  it('is free again when its checkout fails; until then the next one waits', async () => {
    await code('LAST', { percent: 20 });
    const open = await world.checkout('holds it', { promo: 'LAST', paymentMethod: 'pm_card_threeDSecure2Required' });
    expect(open.json.state).toBe('waiting');
    const waiting = await world.checkout('waits for it', { promo: 'LAST' });
    expect([...codeOf(waiting), waiting.headers.get('retry-after')]).toEqual([409, 'promo-in-use', '1']);
    await world.ask('POST', `/v1/operations/${open.json.id}/cancel`);
    await world.until('it is free', async () => (await used('LAST')) === 0);
    const paid = await world.checkout('waits for it', { promo: 'LAST' });
    expect([paid.status, paid.json.amount.minor, await used('LAST')]).toEqual([201, 1000, 1]);
    await world.checkout('declined', { promo: 'WELCOME10', paymentMethod: 'pm_card_visa_chargeDeclined' });
    const [order] = await world.sql(`select state from hapax.customer_order where cart_id = 'cart-declined'`);
    expect(order?.state).toBe('released');
  });

  it('that is unknown, has expired or is for another currency charges nothing', async () => {
    await code('OLD', { percent: 10, expires_at: '2020-01-01' });
    await code('YEN', { off_minor: 100, currency: 'jpy' });
    for (const [promo, status, why] of [
      ['NOBODY', 422, 'promo-unknown'],
      ['OLD', 409, 'promo-expired'],
      ['YEN', 422, 'promo-unfit'],
    ] as const) {
      const refused = await world.checkout(`with ${promo}`, { promo });
      expect(codeOf(refused)).toEqual([status, why]);
      expect(await world.audit({ operation: refused.json.operationUrl?.split('/').at(-1) })).toEqual([]);
    }
    const yen = await world.checkout('in yen', { promo: 'YEN', currency: 'jpy' });
    expect([yen.status, yen.json.amount]).toEqual([201, { minor: 1900, currency: 'jpy' }]);
  });
});

describe('a promo code that each buyer may use once', () => {
  const asks = { paymentMethod: 'pm_card_threeDSecure2Required' };
  beforeAll(async () => {
    for (const name of ['FIRST', 'BACK', 'NAMED', 'GONE'])
      await code(name, { percent: 20, most_uses: name === 'GONE' ? 1 : 100, once_by_buyer: true });
  });

  it('is used by each of them once, whatever they send at once, and in capitals too', async () => {
    const ann = await Promise.all(
      Array.from({ length: 10 }, (_, n) => {
        const email = n % 2 === 0 ? 'ann@example.com' : 'Ann@Example.COM';
        return world.checkout(`first ${n}`, { promo: 'FIRST', email }, { door: n % 2 });
      }),
    );
    const [paid, ...others] = ann.toSorted((one, other) => one.status - other.status);
    expect([paid?.status, paid?.json.discount]).toEqual([201, { minor: 250, currency: 'eur' }]);
    for (const one of others) {
      expect(one.status).toBe(409);
      expect(['promo-in-use', 'promo-used-by-you']).toContain(one.json.code);
    }
    const again = await world.checkout('first again', { promo: 'FIRST', email: 'ann@example.com' });
    expect(codeOf(again)).toEqual([409, 'promo-used-by-you']);
    expect(await world.audit({ operation: again.json.operationUrl?.split('/').at(-1) })).toEqual([]);
    expect((await world.checkout('first of bob', { promo: 'FIRST', email: 'bob@example.com' })).status).toBe(201);
    expect(await used('FIRST')).toBe(2);
    // Without the code, they buy as often as they like; and a code that is not limited so is used again.
    expect((await world.checkout('without it', { email: 'ann@example.com' })).status).toBe(201);
    for (const n of [1, 2])
      expect((await world.checkout(`free ${n}`, { promo: 'WELCOME10', email: 'ann@example.com' })).status).toBe(201);
  });

  it('is free again where their checkout fails, and used where their order is cancelled', async () => {
    const email = 'cara@example.com';
    const open = await world.checkout('holds hers', { promo: 'BACK', email, ...asks });
    expect(open.json.state).toBe('waiting');
    const waits = await world.checkout('hers', { promo: 'BACK', email });
    expect([...codeOf(waits), waits.headers.get('retry-after')]).toEqual([409, 'promo-in-use', '1']);
    await world.ask('POST', `/v1/operations/${open.json.id}/cancel`);
    await world.until('it is free', async () => (await used('BACK')) === 0);
    const paid = await world.checkout('hers', { promo: 'BACK', email });
    expect(paid.status).toBe(201);
    await world.ask('POST', `/v1/orders/${paid.json.orderId}/cancel`, { key: 'hers is cancelled' });
    expect(codeOf(await world.checkout('hers anew', { promo: 'BACK', email }))).toEqual([409, 'promo-used-by-you']);
    expect(await used('BACK')).toBe(1);
  });

  it('asks for the buyer’s e-mail address, and still counts all uses', async () => {
    expect(codeOf(await world.checkout('nobody', { promo: 'NAMED' }))).toEqual([422, 'promo-needs-email']);
    expect((await world.checkout('dan', { promo: 'GONE', email: 'dan@example.com' })).status).toBe(201);
    const late = await world.checkout('eve', { promo: 'GONE', email: 'eve@example.com' });
    expect(codeOf(late)).toEqual([409, 'promo-used-up']);
  });

  it('is kept by a constraint, whatever a program does', async () => {
    const used = world.sql(
      `insert into hapax.customer_order
         (id, tenant, environment, operation_id, cart_id, state, amount_minor, currency, promo, promo_buyer)
       select 'ord_x', $1, 'test', 'op_x', 'x', 'pending', 0, 'eur', 'FIRST', promo_buyer
       from hapax.customer_order where promo = 'FIRST' and state = 'paid' limit 1`,
      world.tenants.alpha,
    );
    await expect(used).rejects.toThrow('promo_is_used_once_by_each_buyer');
  });
});

describe('an order that costs nothing', () => {
  it('asks no provider, and is paid without a payment', async () => {
    const calls = async () => ((await (await fetch(`${world.sandbox.address}/_requests`)).json()) as unknown[]).length;
    const before = await calls();
    const free = await world.checkout('a gift', { promo: 'GIFT', email: 'ann@example.com' });
    expect([free.status, Object.keys(free.json).toSorted()]).toEqual([
      201,
      ['amount', 'discount', 'id', 'orderId', 'state'],
    ]);
    expect(free.json.amount).toEqual({ minor: 0, currency: 'eur' });
    expect((await world.checkout('a gift', { promo: 'GIFT', email: 'ann@example.com' })).text).toBe(free.text);
    expect(await calls()).toBe(before);
    const [order] = await world.sql(
      'select state, payment_intent from hapax.customer_order where id = $1',
      free.json.orderId,
    );
    expect(order).toEqual({ state: 'paid', payment_intent: null });
    expect(await world.sql('select type from hapax.outbox where operation_id = $1', free.json.id)).toEqual([
      { type: 'receipt.requested' },
    ]);
    expect(await world.sql('select 1 from hapax.money_fact where order_id = $1', free.json.orderId)).toEqual([]);
    // Nothing of it can be given back, and it can be cancelled.
    const refund = await world.ask('POST', '/v1/refunds', { key: 'of a gift', body: { checkout: free.json.id } });
    expect(codeOf(refund)).toEqual([422, 'refund-exceeds']);
    const cancelled = await world.ask('POST', `/v1/orders/${free.json.orderId}/cancel`, { key: 'no gift' });
    expect([cancelled.status, cancelled.json.refunded.minor]).toEqual([201, 0]);
    expect(await calls()).toBe(before);
  });
});

describe('a currency', () => {
  it.each([
    ['jpy', 4000],
    ['kwd', 8300],
    ['eur', 2500],
  ])('%s is charged in its own minor units', async (currency, minor) => {
    const paid = await world.checkout(`in ${currency}`, { currency, items: [{ sku: 'mug-blue', quantity: 2 }] });
    expect([paid.status, paid.json.amount]).toEqual([201, { minor, currency }]);
    expect(await captured(paid)).toEqual([[minor, currency]]);
  });

  it('with three decimals is charged in tens of its minor unit, in the buyer’s favour', async () => {
    await code('THIRD', { percent: 33, most_uses: 10 });
    const paid = await world.checkout('a third off', { currency: 'kwd', promo: 'THIRD' });
    // 4150 less 1369 are 2781.
    expect(paid.json.amount).toEqual({ minor: 2780, currency: 'kwd' });
  });

  it.each([
    ['usd', 'there is no price of mug-blue'],
    ['isk', 'Nothing is charged in isk'],
    ['xyz', 'Nothing is charged in xyz'],
  ])('%s is refused: %s', async (currency, says) => {
    const refused = await world.checkout(`in ${currency}`, { currency });
    expect(codeOf(refused)).toEqual([422, 'currency-not-offered']);
    expect(refused.json.detail).toContain(says);
  });

  it('is written for people with its own decimals', () => {
    const texts = [
      ['eur', '12.50 EUR'],
      ['jpy', '1250 JPY'],
      ['kwd', '1.250 KWD'],
    ] as const;
    for (const [currency, text] of texts) expect(moneyText({ minor: 1250, currency })).toBe(text);
    expect(inTens).toEqual(expect.arrayContaining(['kwd', 'bhd', 'jod', 'omr', 'tnd']));
    expect([isCharged('eur'), isCharged('isk'), isCharged('xxx')]).toEqual([true, false, false]);
  });
});

it('a discount is whole, never negative, and never more than the price', async () => {
  const cases = fc.sample(
    fc.record({
      price: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      percent: fc.option(fc.integer({ min: 1, max: 100 })),
      off: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      step: fc.constantFrom(1, 10),
    }),
    { numRuns: 2_000, seed: 15 },
  );
  const rows = await world.sql<{ discount: string }>(
    `select hapax.discount(price, percent, case when percent is null then off end, step) as discount
     from unnest($1::bigint[], $2::int[], $3::bigint[], $4::int[]) as t (price, percent, off, step)`,
    ...[cases.map(({ price }) => price), cases.map(({ percent }) => percent)],
    ...[cases.map(({ off }) => off), cases.map(({ step }) => step)],
  );
  for (const [n, { price, percent, off, step }] of cases.entries()) {
    const discount = BigInt(rows[n]?.discount ?? -1);
    const exact = percent === null ? BigInt(off) : (BigInt(price) * BigInt(percent)) / 100n;
    const left = BigInt(price) - discount;
    expect([left >= 0n, discount >= 0n, left % BigInt(step)]).toEqual([true, true, 0n]);
    const bounded = exact > BigInt(price) ? BigInt(price) : exact;
    expect(discount - bounded >= 0n && discount - bounded < BigInt(step)).toBe(true);
  }
});
