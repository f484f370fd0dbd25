import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { operationId } from '../../workflows/operation/key.ts';
import { FaultyLine } from '../support/faulty-line.ts';
import { checkoutScope } from '../support/lane.ts';
import { paidOnce, traces } from '../support/one-checkout.ts';
import { World } from '../support/world.ts';

/** A start needs at least this long, so that a kill falls between the rows of a round and their starts. Milliseconds. */
const slower = 2_000;
/** A first look is put off by 4 s, and a later one by minutes. A busy machine needs a while for the rest. Milliseconds. */
const recovered = 25_000;

describe('upkeep that is killed in the middle of a round', () => {
  let world: World;
  let line: FaultyLine;
  beforeAll(async () => {
    // No door reaches Temporal: what is claimed waits for upkeep.
    world = await World.create(inject('ground'), { doors: 0, upkeep: false });
    world.doors.push(await world.start('workers/http.ts', { TEMPORAL_ADDRESS: '127.0.0.1:9' }));
    line = await FaultyLine.to(`temporal://${world.env.TEMPORAL_ADDRESS}`, slower);
  });
  afterAll(async () => {
    await line.close();
    await world.close();
  });

  it('has put its claims off and started none: the next upkeep starts them, and each is paid once', async () => {
    const keys = Array.from({ length: 8 }, (_, n) => `put-off-${n}`);
    const ids = keys.map((key) => operationId(checkoutScope(world, key), 1));
    const upkeep = await world.start('workers/upkeep.ts', { TEMPORAL_ADDRESS: new URL(line.url).host });
    const asked = keys.map((key) => world.checkout(key, {}, { headers: { prefer: 'wait=30' } }));
    const looks = () =>
      world.sql<{ looks: number; started: boolean }>(
        'select looks, run_id is not null as started from hapax.operation where id = any($1)',
        ids,
      );
    await world.until('a round has put claims off', async () => (await looks()).some((row) => row.looks > 0));
    await upkeep.kill();
    const killed = Date.now();
    expect((await looks()).some(({ started }) => started)).toBe(false);
    await world.start('workers/upkeep.ts');
    await Promise.all(asked);
    for (const key of keys)
      await world.until(`${key} is paid`, async () => (await world.checkout(key)).status === 201, 60_000);
    const settled = await world.sql<{ settled_at: Date }>(
      'select settled_at from hapax.operation where id = any($1)',
      ids,
    );
    const took = Math.max(...settled.map(({ settled_at: at }) => at.getTime())) - killed;
    console.log(`What a killed upkeep had put off was paid ${(took / 1_000).toFixed(1)} s after its end`);
    expect(took).toBeLessThanOrEqual(recovered);
    for (const id of ids) expect(await traces(world, id)).toEqual(paidOnce);
  }, 120_000);
});
