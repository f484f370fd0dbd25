import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
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
});
