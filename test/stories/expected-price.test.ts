import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'));
});
afterAll(() => world.close());

const items = [
  { sku: 'mug-blue', quantity: 2 },
  { sku: 'book-small', quantity: 1 },
];
const stock = () =>
  world.sql(`select sku, stock from hapax.catalogue_item where tenant = $1 order by sku`, world.tenants.alpha);
const price = async () => {
  const rows = await world.sql<{ sku: string; price_minor: string }>(
    `select sku, price_minor from hapax.catalogue_item where tenant = $1`,
    world.tenants.alpha,
  );
  const of = (sku: string) => Number(rows.find((row) => row.sku === sku)?.price_minor);
  return 2 * of('mug-blue') + of('book-small');
};

it('a cart that costs what its buyer was shown is paid', async () => {
  const minor = await price();
  const paid = await world.checkout('as shown', { items, expected: { minor, currency: 'eur' } });
  expect([paid.status, paid.json.amount]).toEqual([201, { minor, currency: 'eur' }]);
});

it('a cart whose price has changed since is refused with the new one, and nothing is taken or charged', async () => {
  const shown = await price();
  await world.sql(
    `update hapax.catalogue_item set price_minor = price_minor + 100 where tenant = $1 and sku = 'mug-blue'`,
    world.tenants.alpha,
  );
  const before = await stock();
  const body = { items, expected: { minor: shown, currency: 'eur' } };
  const refused = await world.checkout('changed', body);
  expect([refused.status, refused.json]).toMatchObject([
    409,
    { code: 'price-changed', amount: { minor: shown + 200, currency: 'eur' }, sameKeySafe: false },
  ]);
  expect(await stock()).toEqual(before);
  expect(await world.audit({ operation: refused.json.operationUrl.split('/').at(-1) })).toEqual([]);
  // It is the answer of its key; the price that it names is one for a new key.
  expect((await world.checkout('changed', body)).text).toBe(refused.text);
  const paid = await world.checkout('shown anew', { items, expected: refused.json.amount });
  expect([paid.status, paid.json.amount]).toEqual([201, refused.json.amount]);
});

it('a cart in another currency than shown is refused alike', async () => {
  const refused = await world.checkout('currency', { items, expected: { minor: await price(), currency: 'usd' } });
  expect([refused.status, refused.json.code]).toEqual([409, 'price-changed']);
});

it.each([
  { minor: -1, currency: 'eur' },
  { minor: 1.5, currency: 'eur' },
  { minor: 100, currency: 'EUR' },
  { minor: 100 },
])('no price is %j', async (expected) => {
  const refused = await world.checkout('malformed', { items, expected });
  expect([refused.status, refused.json.code]).toEqual([400, 'request-invalid']);
});
