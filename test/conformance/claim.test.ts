import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Claim, claim } from '../../activities/stores/postgres/claim.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { fingerprint, fingerprintVersion } from '../../workflows/operation/fingerprint.ts';
import { operationId, type Scope } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { World } from '../support/world.ts';

// Doors let one request of theirs through at a time, and ask for a second generation only where there may be one: what the
// ledger itself does is seen without them only.
describe('the claim of a name', () => {
  let world: World;
  let database: Database;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false });
    database = new Database(world.databaseUrl, 'hapax_app', 1);
  });
  afterAll(async () => {
    await database.close();
    await world.close();
  });

  const asked = (scope: Scope, generation = 1): Claim => {
    const request = world.cart(scope.key);
    return {
      id: operationId(scope, generation),
      scope,
      subject: 'default',
      generation,
      flowVersion: 1,
      fingerprint: fingerprint('checkout', Object.keys(request), request),
      fingerprintVersion,
      request,
      requestId: 'a test',
      state: 'claimed',
      deadline: null,
      insert: true,
    };
  };
  const rowsOf = (key: string) =>
    world.sql('select generation from hapax.operation where key = $1 order by generation', key);

  it.each([1, 2, 3])('makes one row of many that reach PostgreSQL at once (round %i)', async (round) => {
    const pools = [new Database(world.databaseUrl, 'hapax_app'), new Database(world.databaseUrl, 'hapax_app')];
    const scope = checkoutScope(world, `raced-${round}`);
    // Connected before, so that they arrive together.
    await Promise.all(pools.flatMap((pool) => Array.from({ length: 24 }, () => pool.flush(scope.tenant))));
    const claims = await Promise.all(
      Array.from({ length: 96 }, (_, n) => claim(pools[n % pools.length] as Database, asked(scope))),
    );
    expect(claims.filter((one) => one?.created)).toHaveLength(1);
    expect(new Set(claims.map((one) => one?.id))).toEqual(new Set([operationId(scope, 1)]));
    expect(await rowsOf(scope.key)).toHaveLength(1);
    await Promise.all(pools.map((pool) => pool.close()));
  });

  it.each<[string, (scope: Scope) => Scope]>([
    ['tenant', (scope) => ({ ...scope, tenant: world.tenants.beta })],
    ['environment', (scope) => ({ ...scope, environment: 'live' })],
    ['subject', (scope) => ({ ...scope, subject: 'somebody-else' })],
    ['flow', (scope) => ({ ...scope, flow: 'upload' })],
  ])('takes the same key for another operation where its %s is another', async (part, change) => {
    const scope = checkoutScope(world, `differs-in-${part}`);
    for (const one of [scope, change(scope)]) {
      const first = await claim(database, asked(one));
      const second = await claim(database, asked(one));
      expect([first, second].map((claimed) => [claimed?.id, claimed?.created])).toEqual([
        [operationId(one, 1), true],
        [operationId(one, 1), false],
      ]);
    }
    expect(await rowsOf(scope.key)).toHaveLength(2);
  });

  it('begins a generation anew only where the one before may be renewed', async () => {
    const scope = checkoutScope(world, 'renewed');
    await claim(database, asked(scope));
    expect(await claim(database, asked(scope, 2))).toMatchObject({ created: false, generation: 1 });
    await world.sql(
      `update hapax.operation set state = 'expired', settled_at = now(), answer_expires_at = now(), tombstone_until = now(),
         renewable = true where key = $1`,
      scope.key,
    );
    expect(await claim(database, { ...asked(scope, 2), insert: false })).toBeUndefined();
    expect(await claim(database, asked(scope, 2))).toMatchObject({ created: true, generation: 2 });
    expect(await claim(database, asked(scope, 2))).toMatchObject({ created: false, generation: 2 });
    expect(await claim(database, asked(scope, 1))).toMatchObject({ created: false, generation: 2 });
    expect(await rowsOf(scope.key)).toEqual([{ generation: 1 }, { generation: 2 }]);
  });

  it('only looks where nothing may be begun', async () => {
    const scope = checkoutScope(world, 'looked-for');
    expect(await claim(database, { ...asked(scope), insert: false })).toBeUndefined();
    expect(await rowsOf(scope.key)).toEqual([]);
    await claim(database, asked(scope));
    expect(await claim(database, { ...asked(scope), insert: false })).toMatchObject({ created: false, generation: 1 });
  });

  it('leaves its connection without a tenant', async () => {
    await claim(database, asked(checkoutScope(world, 'leaves-none')));
    const who = { name: 'who', text: 'select current_tenant() as who', values: [] };
    expect(await database.flush(null, who)).toEqual([[{ who: null }]]);
  });
});
