import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { secrets } from '../support/event-sources.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create(inject('ground'), { doors: 1 });
  await world.sandboxControl('POST', 'webhooks', {
    url: `${world.doors[0]?.address}/v1/webhooks/stripe`,
    secret: secrets.stripe,
    backoffMs: Array.from({ length: 200 }, () => 100),
    plan: [
      { type: 'payment_intent.succeeded', times: 8, do: 'early' },
      { type: 'payment_intent.succeeded', times: 8, do: 'reorder' },
      { type: 'payment_intent.succeeded', do: 'duplicate', copies: 3 },
    ],
  });
});
afterAll(() => world.close());

const count = async (from: string) => Number((await world.sql(`select count(*) as n from hapax.${from}`))[0]?.n);

it('each payment is acted on once, though its events come early, late and often, and who handles them is killed', async () => {
  const carts = Array.from({ length: 24 }, (_, n) => `told-${n}`);
  let over = false;
  const kills = (async () => {
    for (let n = 0; !over; n += 1) {
      await pause(300 + (n % 4) * 150);
      for (const upkeep of world.running('workers/upkeep.ts')) await upkeep.kill();
      await world.start('workers/upkeep.ts');
    }
  })();
  const paying = carts.map(async (key, n) => {
    await pause(n * 120);
    return await world.checkout(key, {}, { headers: { prefer: 'wait=30' } });
  });
  const paid = await Promise.all(paying);
  expect(paid.map(({ status }) => status)).toEqual(carts.map(() => 201));
  await pause(2_000);
  over = true;
  await kills;
  await world.until(
    'every event is handled',
    async () =>
      (await count(`inbox_handling where state <> 'done'`)) === 0 && (await count('shipment')) >= carts.length,
    60_000,
    100,
  );
  expect([await count('shipment'), await count('store_credit')]).toEqual([carts.length, carts.length]);
  // One event for each payment has been heard, however often it came.
  expect(await count(`inbox_event where type = 'payment_intent.succeeded'`)).toBe(carts.length);
  expect(await count(`operation where flow in ('ship', 'credit') and state = 'succeeded'`)).toBe(2 * carts.length);
  const captured = (await world.audit({ type: 'payment_intent.captured' })).map(({ paymentIntent }) => paymentIntent);
  const shipped = await world.sql(
    `select o.payment_intent from hapax.shipment s join hapax.customer_order o on o.id = s.order_id`,
  );
  expect(shipped.map(({ payment_intent: intent }) => intent as string).toSorted()).toEqual(captured.toSorted());
}, 240_000);
