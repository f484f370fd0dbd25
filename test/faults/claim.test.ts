import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { claim } from '../../activities/stores/postgres/claim.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { fingerprint, fingerprintVersion } from '../../workflows/operation/fingerprint.ts';
import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { World } from '../support/world.ts';

describe('claims of one name', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false });
  });
  afterAll(() => world.close());

  // Doors let one request of theirs through at a time: what the ledger does with many is seen without them only.
  it.each([1, 2, 3])(
    'that reach PostgreSQL at once through many connections make one row (round %i)',
    async (round) => {
      const pools = [new Database(world.databaseUrl, 'hapax_app'), new Database(world.databaseUrl, 'hapax_app')];
      const scope = checkoutScope(world, `raced-${round}`);
      const request = world.cart(scope.key);
      const asked = {
        id: operationId(scope, 1),
        scope,
        subject: 'default',
        generation: 1,
        flowVersion: 1,
        fingerprint: fingerprint('checkout', Object.keys(request), request),
        fingerprintVersion,
        request,
        requestId: 'a test',
        state: 'claimed',
        deadline: null,
        insert: true,
      } as const;
      // Connected before, so that they arrive together.
      await Promise.all(pools.flatMap((pool) => Array.from({ length: 24 }, () => pool.flush(scope.tenant))));
      const claims = await Promise.all(
        Array.from({ length: 96 }, (_, n) => claim(pools[n % pools.length] as Database, asked)),
      );
      expect(claims.filter((one) => one?.created)).toHaveLength(1);
      expect(new Set(claims.map((one) => one?.id))).toEqual(new Set([asked.id]));
      expect(await world.sql('select from hapax.operation where key = $1', scope.key)).toHaveLength(1);
      await Promise.all(pools.map((pool) => pool.close()));
    },
  );
});
