import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type Claim, claim } from '../../activities/stores/postgres/ledger/claim.ts';
import { Database, type Statement } from '../../activities/stores/postgres/database.ts';
import type { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import type { Call } from '../../client/gateway/call.ts';
import { type ConnectedGateway, connectGateway } from '../../client/gateway/connect.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { fingerprint, fingerprintVersion } from '../../workflows/operation/fingerprint.ts';
import { operationId, type Scope } from '../../workflows/operation/key.ts';
import { FaultyLine } from '../support/faulty-line.ts';
import { checkoutScope } from '../support/lane.ts';
import { World } from '../support/world.ts';

// Doors let one request of theirs through at a time, and ask for a second generation only where there may be one: what the
// ledger itself does is seen without them only.
describe('the claim of a name', () => {
  let world: World;
  let database: Database;
  let connected: ConnectedGateway;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false });
    database = new Database(world.databaseUrl, 'hapax_app', 1);
    connected = await connectGateway({
      databaseUrl: world.databaseUrl,
      temporalAddress: world.env.TEMPORAL_ADDRESS as string,
      taskQueue: 'nobody-listens',
    });
  });
  afterAll(async () => {
    await connected.close();
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
      fingerprint: fingerprint(checkoutFlow.name, checkoutFlow.intent, request),
      fingerprintVersion,
      request,
      requestId: 'a test',
      state: 'claimed',
      deadline: null,
      insert: true,
    };
  };
  const call = ({ tenant, environment, subject, key }: Scope): Call<typeof checkoutFlow> => ({
    ...{ tenant, environment, subject, key },
    request: world.cart(key) as never,
  });
  const rowsOf = (key: string) =>
    world.sql('select generation from hapax.operation where key = $1 order by generation', key);

  it.each([1, 2, 3])('makes one row of many that reach PostgreSQL at once (round %i)', async (round) => {
    const pools = [new Database(world.databaseUrl, 'hapax_app'), new Database(world.databaseUrl, 'hapax_app')];
    const scope = checkoutScope(world, `raced-${round}`);
    // Connected before, so that they arrive together. One by one: a busy machine may have no answer for any of a crowd within the
    // second that a connection may take.
    for (let standing = 1; standing <= 24; standing += 1)
      await Promise.all(pools.flatMap((pool) => Array.from({ length: standing }, () => pool.flush(scope.tenant))));
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

  /** An end after which the key may begin anew. */
  const expire = async (scope: Scope) => {
    for (const set of [
      `state = 'running'`,
      `state = 'compensating', ending = '{}'`,
      `state = 'expired', settled_at = now(), answer_expires_at = now(), tombstone_until = now(), renewable = true`,
    ])
      await world.sql(`update hapax.operation set ${set} where key = $1`, scope.key);
  };
  const drop = (scope: Scope) => world.sql('delete from hapax.operation where key = $1 and renewable', scope.key);

  it('begins a generation anew only where the one before may be renewed', async () => {
    const scope = checkoutScope(world, 'renewed');
    await claim(database, asked(scope));
    expect(await claim(database, asked(scope, 2))).toMatchObject({ created: false, generation: 1 });
    await expire(scope);
    expect(await claim(database, { ...asked(scope, 2), insert: false })).toBeUndefined();
    expect(await claim(database, asked(scope, 2))).toMatchObject({ created: true, generation: 2 });
    expect(await claim(database, asked(scope, 2))).toMatchObject({ created: false, generation: 2 });
    expect(await claim(database, asked(scope, 1))).toMatchObject({ created: false, generation: 2 });
    expect(await rowsOf(scope.key)).toEqual([{ generation: 1 }, { generation: 2 }]);
  });

  it('begins no second generation where the first has been dropped, and lets nobody drop it meanwhile', async () => {
    const scope = checkoutScope(world, 'dropped');
    await claim(database, asked(scope));
    await expire(scope);
    const slow = new pg.Client({ connectionString: world.databaseUrl, options: '-c search_path=hapax' });
    await slow.connect();
    await slow.query('begin');
    await claim(
      { alone: async ({ text, values }: Statement) => (await slow.query(text, [...values])).rows } as never,
      asked(scope, 2),
    );
    const dropped = drop(scope);
    await world.until('the drop waits', async () => {
      const waiting = await world.sql(
        `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      );
      return waiting.length === 1;
    });
    await slow.query('rollback');
    await slow.end();
    await dropped;
    expect(await claim(database, asked(scope, 2))).toBeUndefined();
    expect(await rowsOf(scope.key)).toEqual([]);
  });

  it('begins at the first generation again where the one before was dropped between two looks', async () => {
    const scope = checkoutScope(world, 'between-looks');
    await claim(database, asked(scope));
    await expire(scope);
    const alone = connected.database.alone.bind(connected.database);
    connected.database.alone = async (statement) => {
      const rows = await alone(statement);
      if (rows[0]?.renewable === true) await drop(scope);
      return rows;
    };
    expect(await connected.gateway.ask(checkoutFlow, call(scope), 0)).toMatchObject({ kind: 'open', how: 'created' });
    connected.database.alone = alone;
    expect(await rowsOf(scope.key)).toEqual([{ generation: 1 }]);
  });

  it('begins nothing anew for whoever may not begin anything', async () => {
    const scope = checkoutScope(world, 'not-admitted');
    await claim(database, asked(scope));
    await expire(scope);
    const asking = connected.gateway.ask(checkoutFlow, { ...call(scope), admit: async () => false }, 0);
    expect(await asking).toEqual({ kind: 'not-admitted' });
    expect(await rowsOf(scope.key)).toEqual([{ generation: 1 }]);
  });

  it('only looks where nothing may be begun', async () => {
    const scope = checkoutScope(world, 'looked-for');
    expect(await claim(database, { ...asked(scope), insert: false })).toBeUndefined();
    expect(await rowsOf(scope.key)).toEqual([]);
    await claim(database, asked(scope));
    expect(await claim(database, { ...asked(scope), insert: false })).toMatchObject({ created: false, generation: 1 });
  });

  it('keeps all that it was asked with', async () => {
    const scope = { ...checkoutScope(world, 'keeps-all'), subject: '' };
    const all: Claim = {
      ...asked(scope),
      subject: 'ann',
      state: 'waiting',
      deadline: 60_000,
      flowVersion: 7,
      requestId: 'r',
    };
    const claimed = await claim(database, all);
    const [row] = await world.sql(
      `select id, tenant, environment, subject, key_subject, flow, flow_version, key, generation, fingerprint,
         fingerprint_version, request, request_id, state, extract(epoch from deadline - created_at) as patience
       from hapax.operation where key = $1`,
      scope.key,
    );
    const { tenant, environment, flow, key } = scope;
    expect(row).toMatchObject({ id: all.id, tenant, environment, subject: 'ann', key_subject: '', flow, key });
    expect(row).toMatchObject({
      flow_version: 7,
      generation: 1,
      request: all.request,
      request_id: 'r',
      state: 'waiting',
    });
    expect(row).toMatchObject({ fingerprint: all.fingerprint, fingerprint_version: fingerprintVersion });
    expect(Number(row?.patience)).toBeCloseTo(60, 2);
    expect(claimed).toMatchObject({
      id: all.id,
      state: 'waiting',
      requestId: 'r',
      started: false,
      answer: { kind: 'none' },
    });
  });

  it('looks at the index, also on a connection that has planned while the table was small', async () => {
    await world.sql('analyze hapax.operation');
    const fresh = new Database(world.databaseUrl, 'hapax_app', 1);
    const text = `select seq_scan, idx_scan from pg_stat_xact_user_tables where relname = 'operation'`;
    const seen: unknown[] = [];
    const watched = {
      async alone(statement: Statement) {
        const [rows = [], scans = []] = await fresh.flush(null, statement, { name: 'scans', text, values: [] });
        seen.push(...scans);
        return rows;
      },
    };
    await claim(watched as never, asked(checkoutScope(world, 'raced-1')));
    await fresh.close();
    expect(seen).toEqual([{ seq_scan: '0', idx_scan: '1' }]);
  });

  it('holds its name for seconds only where the end of its message is lost with the network', async () => {
    const scope = checkoutScope(world, 'cut');
    const line = await FaultyLine.to(world.databaseUrl);
    const cut = new Database(line.url, 'hapax_app', 1);
    await claim(cut, asked(checkoutScope(world, 'not-cut')));
    line.loseTheLast('S....'.length);
    const begun = Date.now();
    const lost = claim(cut, asked(scope)).then(
      () => 'claimed',
      (fault: LedgerFault) => fault.code,
    );
    await world.until(
      'its row is held',
      async () =>
        (await world.sql(`select from pg_stat_activity where backend_xid is not null and datname = current_database()`))
          .length > 0,
    );
    // Half a minute is the most that this waits.
    const claimed = await world.until('another may claim', () => claim(database, asked(scope)).catch(() => undefined));
    expect(claimed.created).toBe(true);
    expect(Date.now() - begun).toBeGreaterThan(4_000);
    expect(await lost).toBe('unavailable');
    await line.close();
    await cut.close();
  });

  it.each([
    ['that comes late', 1],
    // Before it come the startup and two pieces of the password.
    ['whose proof comes late', 4],
  ])('waits for a connection %s while others are answered, as on a busy machine', async (how, piece) => {
    const line = await FaultyLine.to(world.databaseUrl);
    const busy = new Database(line.url, 'hapax_app', 2);
    const answered = () => busy.alone({ name: '', text: 'select 1', values: [] });
    await answered();
    line.greetLate(5_000, piece);
    const begun = performance.now();
    // Two at once need two connections, and only one stands. It answers for as long as the other is awaited.
    let waiting = true;
    const others = answered().then(async () => {
      while (waiting) await answered();
    });
    const claiming = claim(busy, asked(checkoutScope(world, how.replaceAll(' ', '-')))).finally(() => {
      waiting = false;
    });
    setTimeout(() => line.greetLate(0), 800);
    const [claimed] = await Promise.all([claiming, others]);
    expect(claimed?.created).toBe(true);
    expect(performance.now() - begun).toBeGreaterThan(900);
    await busy.close();
    await line.close();
  });

  it('is to be asked again where PostgreSQL has ended its transaction', async () => {
    const slow = new Database(world.databaseUrl, 'hapax_app', 1);
    const run = (text: string) => slow.flush(null, { name: '', text, values: [] });
    // On its one connection, and from the next transaction on.
    await run('set transaction_timeout = 100');
    const ended = run('select pg_sleep(2)');
    await expect(ended).rejects.toMatchObject({ code: 'unavailable', cause: { code: '25P04' } });
    expect(await slow.flush(null)).toEqual([]);
    await slow.close();
  });

  it('leaves its connection without a tenant', async () => {
    await claim(database, asked(checkoutScope(world, 'leaves-none')));
    const who = { name: 'who', text: 'select current_tenant() as who', values: [] };
    expect(await database.flush(null, who)).toEqual([[{ who: null }]]);
  });
});
