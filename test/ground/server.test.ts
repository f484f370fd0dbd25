import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectGateway } from '../../client/gateway/connect.ts';
import { migrate } from '../../workers/migrate.ts';
import { effectsOf, paidOnce } from '../conformance/effects.ts';
import { deafLine } from '../support/deaf-line.ts';
import { FaultyLine } from '../support/faulty-line.ts';
import { standInPostgres } from '../support/stand-in-postgres.ts';
import { World } from '../support/world.ts';

const processes = ['workers/http.ts', 'workers/operations.ts', 'workers/media.ts', 'workers/upkeep.ts'];
const names = ['server', 'role', 'schema', 'row-security', 'search-path', 'isolation', 'time-limits', 'own-session'];
const inEach = [...names, 'durability', 'primary', 'object-store'];

let world: World;
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  world = await World.create(inject('ground'), { media: true, env: { HAPAX_LOG_LEVEL: 'info' } });
});
afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await world.close();
});

async function verbose(address: string): Promise<[number, string]> {
  const answer = await fetch(`${address}/readyz?verbose`);
  return [answer.status, await answer.text()];
}

/** @returns the only line that a process says which ends instead of getting ready */
async function refusal(script: string, env: Record<string, string> = {}): Promise<string> {
  const fault = await world.start(script, env).then(
    () => expect.unreachable(`${script} got ready`),
    (error: Error) => error.message,
  );
  const [ended, line = '', ...more] = fault.trim().split('\n');
  expect([ended, more]).toEqual([`${script} ended with 1:`, []]);
  return line;
}

const connect = async (databaseUrl: string) =>
  await connectGateway({ databaseUrl, temporalAddress: world.env.TEMPORAL_ADDRESS as string });

describe('a process that is ready', () => {
  it('shows what it has proved, check by check, and says it in one line of its log', async () => {
    for (const script of processes) {
      const [process] = world.running(script);
      const wanted = script === 'workers/http.ts' ? [...inEach, 'notify'] : inEach;
      // Upkeep proves the store after its start, and a start waits only half a second for a NOTIFY.
      await world.until(`${script} shows its proofs`, async () => {
        const [status, text] = await verbose(process?.address ?? '');
        return status === 200 && wanted.every((name) => new RegExp(`^\\[\\+\\]${name}: `, 'm').test(text));
      });
      const lines = await world.until(`${script} has logged it`, async () => {
        const log = await readFile(join(world.directory, `${script.replace('/', '-')}.log`), 'utf8');
        const found = log.split('\n').filter((line) => line.includes('The ground holds'));
        return found.length > 0 && found;
      });
      expect(lines).toEqual([expect.stringContaining(names.join(', '))]);
    }
  });

  it('has proved it in well under a second, and has written nothing', async () => {
    await world.sql(`alter database "${world.name}" set default_transaction_read_only = on`);
    try {
      // Others share the processor, and may hold one up. What takes long by itself does so each time.
      await world.until('a proof takes less than half a second', async () => {
        const begun = performance.now();
        const connected = await connect(world.databaseUrl);
        const took = performance.now() - begun;
        expect(connected.proofs().map(({ state }) => state)).not.toContain('failed');
        await connected.close();
        return took < 500;
      });
    } finally {
      await world.sql(`alter database "${world.name}" reset default_transaction_read_only`);
    }
  });
});

describe('a process does not get ready, and names in one line what it tried and what mends it, where', () => {
  it.each([
    {
      why: 'transactions are not read committed',
      name: 'isolation',
      setting: `set default_transaction_isolation = 'repeatable read'`,
      mend: `set default_transaction_isolation to 'read committed'`,
      scripts: processes,
    },
    {
      why: 'a commit is not on the disk',
      name: 'durability',
      setting: 'set synchronous_commit = off',
      mend: 'synchronous_commit is off: set it to on',
      scripts: ['workers/http.ts', 'workers/operations.ts'],
    },
  ])('$why', async ({ name, setting, mend, scripts }) => {
    await world.sql(`alter database "${world.name}" ${setting}`);
    try {
      for (const line of await Promise.all(scripts.map((script) => refusal(script)))) {
        expect(line).toMatch(new RegExp(`^The ground does not hold: ${name}: `));
        expect(line).toContain(mend);
      }
    } finally {
      await world.sql(`alter database "${world.name}" reset all`);
    }
  });

  it('a table of the ledger has no row security', async () => {
    await world.sql('alter table hapax.step disable row level security');
    try {
      expect(await refusal('workers/operations.ts')).toMatch(
        /row-security: row security is off for hapax_app on 1 of \d+ tables \(step\)/,
      );
    } finally {
      await world.sql('alter table hapax.step enable row level security');
    }
  });

  it('the server only reports 18, as a stand-in on the wire for CockroachDB does', async () => {
    const server = await standInPostgres('CockroachDB CCL v26.3.0 (x86_64-pc-linux-gnu, built 2026/10/01, go1.25)');
    stops.push(() => server.close());
    const fault =
      /server: it reports version 18\.0\.0 but is CockroachDB CCL v26\.3\.0.*: take PostgreSQL itself, version 17/;
    for (const line of await Promise.all(processes.map((script) => refusal(script, { DATABASE_URL: server.url }))))
      expect(line).toMatch(fault);
    await expect(migrate(server.url, () => undefined)).rejects.toThrow('it reports version 18.0.0 but is CockroachDB');
  });

  it('the server calls itself PostgreSQL 18 too, and does not answer as PostgreSQL does', async () => {
    const server = await standInPostgres('PostgreSQL 18.0 on x86_64-pc-linux-gnu');
    stops.push(() => server.close());
    const fault = /it reports version 18\.0\.0 but does not answer as PostgreSQL does \(unknown function/;
    expect(await refusal('workers/http.ts', { DATABASE_URL: server.url })).toMatch(fault);
    await expect(migrate(server.url, () => undefined)).rejects.toThrow(fault);
  });
});

it('a NOTIFY that does not arrive degrades the HTTP API by name, and a checkout is paid and told all the same', async () => {
  const line = await deafLine(world.databaseUrl);
  stops.push(() => line.close());
  const door = world.doors.push(await world.start('workers/http.ts', { DATABASE_URL: line.url })) - 1;
  const [status, text] = await verbose(world.doors[door]?.address ?? '');
  expect([status, text]).toEqual([
    200,
    expect.stringMatching(/^\[~\]notify: A NOTIFY does not arrive.*once a second/m),
  ]);
  expect((await world.checkout('deaf', {}, { door, body: world.cart('deaf') })).status).toBe(201);
  expect(await effectsOf(world, 'deaf')).toEqual(paidOnce);
});

it('a worker that starts while PostgreSQL is away is not ready before it has proved it', async () => {
  const line = await FaultyLine.to(world.databaseUrl);
  stops.push(() => line.close());
  line.refuse();
  const worker = await world.start('workers/media.ts', { DATABASE_URL: line.url });
  const [status, text] = await verbose(worker.address);
  expect([status, text]).toEqual([503, expect.stringMatching(/\[-\]server: not proved yet/)]);
  line.heal();
  await world.until('it is ready', async () => (await verbose(worker.address))[0] === 200);
  expect((await verbose(worker.address))[1]).toMatch(/\[\+\]row-security/);
});
