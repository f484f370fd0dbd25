import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { testSeals } from '../support/seal-keys.ts';
import { World } from '../support/world.ts';

describe('a checkout', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'));
  });
  afterAll(() => world.close());

  it('is paid once and gives the stored answer, byte for byte, when the same key comes again', async () => {
    const first = await world.checkout('once');
    expect(first.status).toBe(201);
    expect(first.headers.get('idempotency-status')).toBe('created');
    expect(first.headers.get('location')).toBe(`/v1/operations/${first.json.id}`);
    const again = await world.checkout('once');
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.get('original-request')).toBe(first.headers.get('request-id'));
    expect(again.text).toBe(first.text);
    const effects = await world.audit({ operation: first.json.id });
    expect(effects.map(({ type }) => type)).toEqual([
      'payment_intent.created',
      'payment_intent.confirmed',
      'payment_intent.captured',
    ]);
    expect(await world.sql('select state, amount_minor::int, payment_intent from hapax.customer_order')).toEqual([
      { state: 'paid', amount_minor: 1250, payment_intent: first.json.paymentIntent },
    ]);
    expect(await world.sql('select type from hapax.outbox')).toEqual([{ type: 'receipt.requested' }]);
  });

  it('that is declined gives stock and cart back and keeps the refusal', async () => {
    const declined = await world.checkout('declined', {
      items: [{ sku: 'book-small', quantity: 2 }],
      paymentMethod: 'pm_card_visa_chargeDeclined',
    });
    expect(declined.status).toBe(402);
    expect(declined.json).toMatchObject({ code: 'card-declined', action: 'change_payment_method', retryable: false });
    const stock = await world.sql(
      `select stock from hapax.catalogue_item where sku = 'book-small' and tenant = $1`,
      world.tenants.alpha,
    );
    expect(stock).toEqual([{ stock: 3 }]);
    const seen = (await world.audit({ operation: declined.json.operationUrl.split('/').at(-1) })).map(
      ({ type }) => type,
    );
    expect(seen).toContain('payment_intent.canceled');
    expect(seen).not.toContain('payment_intent.captured');
    const again = await world.checkout('declined', {
      items: [{ sku: 'book-small', quantity: 2 }],
      paymentMethod: 'pm_card_visa_chargeDeclined',
    });
    expect(again.text).toBe(declined.text);
    const retry = await world.checkout('declined-2', { cartId: 'cart-declined' });
    expect(retry.status).toBe(201);
  });

  it.each([
    ['yacht', 150_000_000, 'amount-too-large', 'take items out of the cart'],
    ['sticker', 10, 'amount-too-small', 'add items to the cart'],
  ])(
    'of an amount that the provider does not take says so of the cart, not of the card: %s',
    async (sku, price, code, says) => {
      await world.sql(
        `insert into hapax.catalogue_item (tenant, environment, sku, name, price_minor, currency, stock)
       values ($1, 'test', $2, $2, $3, 'eur', 5)`,
        world.tenants.alpha,
        sku,
        price,
      );
      const refused = await world.checkout(sku, { items: [{ sku, quantity: 1 }] });
      expect(refused).toMatchObject({
        status: 422,
        json: { code, action: 'fix_request', retryable: false, sameKeySafe: false, undone: ['reserve'] },
      });
      expect(refused.json.detail).toContain(says);
      expect(await world.audit({ operation: refused.json.operationUrl.split('/').at(-1) })).toEqual([]);
      expect((await world.checkout(sku, { items: [{ sku, quantity: 1 }] })).text).toBe(refused.text);
      // What the detail asks for helps: another cart, under a new key.
      expect((await world.checkout(`${sku}-mended`, { cartId: `cart-${sku}` })).status).toBe(201);
    },
  );

  it('of several currencies says that its key is used up', async () => {
    await world.sql(
      `insert into hapax.catalogue_item (tenant, environment, sku, name, price_minor, currency, stock)
       values ($1, 'test', 'mug-abroad', 'Mug', 900, 'chf', 5)`,
      world.tenants.alpha,
    );
    const items = ['mug-blue', 'mug-abroad'].map((sku) => ({ sku, quantity: 1 }));
    const mixed = await world.checkout('mixed', { items });
    expect(mixed).toMatchObject({ status: 422, json: { code: 'currencies-mixed', sameKeySafe: false } });
    expect((await world.checkout('mixed')).json.code).toBe('key-reused');
  });

  it('that the bank could not process is asked anew by the same key, as detail and action say', async () => {
    const ask = () => world.checkout('processing', { paymentMethod: 'pm_card_chargeDeclinedProcessingError' });
    const first = await ask();
    expect(first).toMatchObject({
      status: 402,
      json: { code: 'payment-not-processed', action: 'wait', retryable: true, sameKeySafe: true, retryAfter: 10 },
    });
    expect(first.json.detail).toContain('wait, then ask again with the same key');
    expect(first.headers.get('retry-after')).toBe('10');
    // No answer that is kept, so none that expires.
    expect(first.headers.get('idempotency-expires')).toBeNull();
    const second = await ask();
    expect(second.headers.get('idempotency-status')).toBe('created');
    expect(second.json.operationUrl).not.toBe(first.json.operationUrl);
    for (const { json } of [first, second]) {
      const effects = await world.audit({ operation: json.operationUrl.split('/').at(-1) });
      expect(effects.map(({ type }) => type.replace('payment_intent.', ''))).toEqual([
        'created',
        'declined',
        'canceled',
      ]);
    }
  });

  it.each(['a&b@example.com', 'a!b@example.com', 'a=b@example.com', 'ann@xn--e1afmkfd.xn--p1ai', 'ann@localhost'])(
    'takes the e-mail address %s, as browsers do',
    async (email) => {
      const paid = await world.checkout(`mail-${email.replace('@', '-')}`, { email });
      expect(paid.status).toBe(201);
      const [order] = await world.sql('select email from hapax.customer_order where id = $1', paid.json.orderId);
      const place = { tenant: world.tenants.alpha, flow: 'checkout', operation: paid.json.id, field: 'email' };
      expect(testSeals.open(order?.email, place)).toBe(email);
      expect(order?.email).not.toBe(email);
    },
  );
});
