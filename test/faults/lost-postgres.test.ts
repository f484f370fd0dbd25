import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { paidOnce, stockOf, traces } from '../support/one-checkout.ts';
import { ownPostgres } from '../support/own-server.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { World } from '../support/world.ts';

describe('when PostgreSQL is killed', () => {
  let postgres: Awaited<ReturnType<typeof ownPostgres>>;
  let world: World;
  beforeAll(async () => {
    postgres = await ownPostgres(inject('ground'));
    world = await World.create(postgres.ground, { env: { HAPAX_ANSWER_CACHE: '0' } });
  });
  afterAll(async () => {
    await world.close();
    await postgres.stop();
  });

  const idOf = (key: string) => operationId(checkoutScope(world, key), 1);

  it('checkouts in flight go on when it is back, and each is paid once', async () => {
    const held = (['openPayment', 'authorise', 'capture'] as const).map((call) => ({ call, key: `down-${call}` }));
    for (const { call, key } of held)
      await plan(world, idOf(key), call, { fault: 'hold_before', outlivesClient: true });
    const asked = held.map(({ key }) => world.checkout(key).catch(() => undefined));
    const releases = await Promise.all(held.map(({ key }) => heldRequest(world, idOf(key))));
    // These are in every other place when it happens.
    const busy = Array.from({ length: 8 }, (_, n) => `busy-${n}`);
    const more = busy.map((key) => world.checkout(key).catch(() => undefined));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await postgres.kill();
    const down = await world.checkout('down', {}, { headers: { prefer: 'wait=1' } });
    expect(down).toMatchObject({ status: 503, json: { code: 'ledger-unavailable', sameKeySafe: true } });
    for (const release of releases) await release();
    await postgres.startAgain();
    const back = Date.now();
    await Promise.all([...asked, ...more]);
    const keys = [...held.map(({ key }) => key), ...busy, 'down'];
    for (const key of keys) {
      // Some of these were never accepted; the same key makes each of them happen, once.
      const answer = await world.until(
        `${key} is answered`,
        async () => {
          const told = await world.checkout(key, {}, { headers: { prefer: 'wait=10' } });
          return told.status === 201 && told;
        },
        60_000,
      );
      expect(answer.status).toBe(201);
      expect(await traces(world, idOf(key))).toEqual(paidOnce);
    }
    // Whoever was in the middle of a query has lost the connection, and nothing else.
    expect(world.processes.filter(({ running }) => !running)).toEqual([]);
    console.log(`All paid ${Date.now() - back} ms after PostgreSQL was back`);
    expect(await stockOf(world)).toBe(1_000_000 - keys.length);
  }, 150_000);
});
