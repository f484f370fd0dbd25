import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { type Role, sessionOptions, sessionSettings } from '../../activities/stores/postgres/ground/session.ts';
import { effectsOf, paidOnce } from '../conformance/effects.ts';
import { FaultyLine } from '../support/faulty-line.ts';
import { type PoolerSettings, pgbouncerBinary, startPgbouncer } from '../support/pgbouncer.ts';
import { World } from '../support/world.ts';

const processes = ['workers/http.ts', 'workers/operations.ts', 'workers/media.ts', 'workers/upkeep.ts'];

describe('behind PgBouncer', () => {
  let world: World;
  const stops: (() => Promise<void>)[] = [];
  let logins = 0;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { env: { HAPAX_ANSWER_CACHE: '0', HAPAX_LOG_LEVEL: 'info' } });
    expect((await world.checkout('known')).status).toBe(201);
  });
  afterAll(async () => {
    await Promise.all(world.processes.filter(({ name }) => processes.includes(name)).map((each) => each.stop()));
    for (const stop of stops.toReversed()) await stop();
    await world.close();
  });

  async function pooler(settings: PoolerSettings, target = world.databaseUrl): Promise<string> {
    const { url, stop } = await startPgbouncer(world.directory, target, settings);
    stops.push(stop);
    return url;
  }

  /** @returns the role of one connection, which is closed again */
  async function actsAs(url: string, role: Role = 'hapax_app'): Promise<unknown> {
    const database = new Database(url, role, 1);
    try {
      return (await database.alone({ name: '', text: 'select current_user as role', values: [] }))[0]?.role;
    } finally {
      await database.close();
    }
  }

  /** A login that has by itself what `options` would give it. @returns the address with it */
  async function loginAs(role: Role): Promise<string> {
    logins += 1;
    const name = `login_${role.replace('hapax_', '')}_${world.name}_${logins}`;
    await world.sql(`create role ${name} login password 'secret' in role ${role}`);
    for (const [setting, value] of Object.entries(sessionSettings(role)))
      await world.sql(`alter role ${name} set ${setting} = '${value}'`);
    stops.push(async () => void (await world.sql(`drop role ${name}`)));
    const url = new URL(world.databaseUrl);
    [url.username, url.password] = [name, 'secret'];
    return url.href;
  }

  /** @returns what a process says that ends instead of getting ready */
  async function refusal(script: string, DATABASE_URL: string): Promise<string[]> {
    const fault = await world.start(script, { DATABASE_URL }).then(
      () => expect.unreachable(`${script} got ready`),
      (error: Error) => error.message,
    );
    const [ended, ...lines] = fault.trim().split('\n');
    expect(ended).toBe(`${script} ended with 1:`);
    return lines;
  }

  test.runIf(pgbouncerBinary)(
    'that drops how a session begins, no process starts, and each says why in one line',
    async () => {
      const url = await pooler({ pool_mode: 'session', ignore_startup_parameters: 'options' });
      // What the door's own connection would be: the login, which sees every tenant's rows as one that does not exist.
      const stray = new pg.Client({ connectionString: url, options: sessionOptions('hapax_app') });
      await stray.connect();
      await stray.query(`select set_config('hapax.tenant', 'nobody', false)`);
      const { rows } = await stray.query('select count(*)::int as count, current_user from hapax.operation');
      await stray.end();
      expect(rows).toEqual([{ count: 1, current_user: 'hapax' }]);
      await Promise.all(
        processes.map(async (script) => {
          const lines = await refusal(script, url);
          expect(lines).toHaveLength(1);
          const meant = script === 'workers/upkeep.ts' ? 'hapax_upkeep' : 'hapax_app';
          for (const told of [
            `The ground does not hold: role: it acts as hapax, its login, and not as ${meant}.`,
            'The start-up parameter `options` sets it and did not arrive',
            'row-security: row security is off for hapax on',
            'time-limits: statement_timeout is 0 ms and not 5000 ms',
          ])
            expect(lines[0]).toContain(told);
        }),
      );
    },
  );

  test.runIf(pgbouncerBinary)('that refuses how a session begins, no process starts, and each says why', async () => {
    const url = await pooler({ pool_mode: 'session' });
    for (const [line, ...more] of await Promise.all(processes.map((script) => refusal(script, url)))) {
      expect(line).toMatch(
        /connection: .*refused: unsupported startup parameter: options\. A pooler stands in between.*docs\/production\.md/,
      );
      expect(more).toEqual([]);
    }
  });

  test.runIf(pgbouncerBinary)(
    'in session mode, with a login that has the settings, a checkout is paid and told',
    async () => {
      const url = await pooler(
        { pool_mode: 'session', ignore_startup_parameters: 'options' },
        await loginAs('hapax_app'),
      );
      // Each gets a session that another one has given back, or a new one.
      for (let n = 0; n < 3; n += 1) expect(await actsAs(url)).toBe('hapax_app');
      const env = { DATABASE_URL: url, HAPAX_TASK_QUEUE: `pooled-${world.name}` };
      await world.start('workers/operations.ts', env);
      const door = world.doors.push(await world.start('workers/http.ts', env)) - 1;
      // A start waits only half a second for a NOTIFY.
      await world.until('its notifications arrive', async () => {
        const ready = await world.ask('GET', '/readyz?verbose', { door });
        return ready.status === 200 && ready.text.includes('[+]notify');
      });
      expect((await world.checkout('pooled', {}, { door, body: world.cart('pooled') })).status).toBe(201);
      expect(await effectsOf(world, 'pooled')).toEqual(paidOnce);
    },
  );

  test.runIf(pgbouncerBinary)(
    'a session that comes back without its role is refused, whatever the first one was',
    async () => {
      // As an administrator would mend it at PgBouncer: each new session is set up, and DISCARD ALL undoes that for the next.
      const connect_query = Object.entries(sessionSettings('hapax_app'))
        .map(([setting, value]) => `set ${setting} = ${value}`)
        .join('; ');
      const settings = { pool_mode: 'session', ignore_startup_parameters: 'options', default_pool_size: 2 } as const;
      const url = await pooler({ ...settings, connect_query });
      // Holds the session that the start of the pooler has used.
      const held = new pg.Client({ connectionString: url });
      await held.connect();
      await held.query('select');
      await expect(actsAs(url)).resolves.toBe('hapax_app');
      await expect(actsAs(url)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringMatching(/role: it acts as hapax, its login, and not as hapax_app/),
      });
      await held.end();
    },
  );

  test.runIf(pgbouncerBinary)(
    'in transaction mode, no process starts even where its login has the settings',
    async () => {
      const settings = { pool_mode: 'transaction', ignore_startup_parameters: 'options' } as const;
      const url = await pooler(settings, await loginAs('hapax_upkeep'));
      const lines = await refusal('workers/upkeep.ts', url);
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(
        /own-session: two connections were given one session of PostgreSQL.*pool_mode = session/,
      );
    },
  );

  test.runIf(pgbouncerBinary)('that comes in between later, the door refuses by name and asks nothing', async () => {
    const line = await FaultyLine.to(world.databaseUrl);
    stops.push(() => line.close());
    const door = world.doors.push(await world.start('workers/http.ts', { DATABASE_URL: line.url })) - 1;
    const worker = await world.start('workers/media.ts', { DATABASE_URL: line.url });
    line.turnTo(await pooler({ pool_mode: 'session', ignore_startup_parameters: 'options' }));
    const answer = await world.checkout('behind', {}, { door, body: world.cart('behind') });
    expect([answer.status, answer.json.code]).toEqual([503, 'ledger-unavailable']);
    const ready = await world.ask('GET', '/readyz?verbose', { door });
    expect([ready.status, ready.text]).toEqual([503, expect.stringMatching(/\[-\]role: it acts as hapax, its login/)]);
    expect(await world.sql(`select id from hapax.operation where key = 'behind'`)).toEqual([]);
    const working = await fetch(`${worker.address}/readyz?verbose`);
    expect([working.status, await working.text()]).toEqual([503, expect.stringMatching(/\[-\]role: it acts as hapax/)]);
    line.turnTo(world.databaseUrl);
    const paid = await world.until('the door trusts its ledger again', async () => {
      const again = await world.checkout('behind', {}, { door, body: world.cart('behind') });
      return again.status === 201 && again;
    });
    expect(paid.status).toBe(201);
    expect(await effectsOf(world, 'behind')).toEqual(paidOnce);
  });
});
