import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { expect, inject, it } from 'vitest';
import { migrate } from '../../workers/migrate.ts';
import { databaseNamed } from '../support/database-named.ts';
import { World } from '../support/world.ts';

it('an owner that is no superuser migrates, seeds and carries a checkout, and reads no row of any tenant', async (context) => {
  const world = await World.create(inject('ground'), { workers: 0, upkeep: false, doors: 0 });
  context.onTestFinished(() => world.close());
  const name = `owner${randomBytes(4).toString('hex')}`;
  // As a managed database gives it: a login that owns its database, may hand on the roles of the ledger, and no more.
  await world.sql(`create role ${name} login password 'secret'`);
  await world.sql(`grant hapax_app, hapax_upkeep to ${name} with admin option`);
  const asSuperuser = await databaseNamed(world.databaseUrl, name);
  context.onTestFinished(async () => {
    await world.sql(`drop database ${name} with (force)`);
    await world.sql(`drop role ${name}`);
  });
  await world.sql(`alter database ${name} owner to ${name}`);
  const url = new URL(asSuperuser);
  [url.username, url.password] = [name, 'secret'];

  await migrate(url.href, () => undefined, { seedTenants: Object.values(world.tenants) });
  await migrate(url.href, () => undefined, { seedTenants: Object.values(world.tenants) });
  const env = { DATABASE_URL: url.href };
  await Promise.all([world.start('workers/operations.ts', env), world.start('workers/upkeep.ts', env)]);
  world.doors.push(await world.start('workers/http.ts', env));
  const paid = await world.checkout('owned');
  expect(paid.status).toBe(201);

  const owner = new pg.Client({ connectionString: url.href });
  await owner.connect();
  context.onTestFinished(() => owner.end());
  const { rows: tables } = await owner.query<{ name: string }>(
    `select oid::regclass::text as name from pg_class where relnamespace = 'hapax'::regnamespace and relkind in ('r', 'p')`,
  );
  expect(tables.length).toBeGreaterThan(10);
  const names = ['', ...Object.values(world.tenants)];
  for (const tenant of names) {
    await owner.query(`select set_config('hapax.tenant', $1, false)`, [tenant]);
    for (const { name: table } of tables)
      expect([table, (await owner.query(`select from ${table}`)).rowCount]).toEqual([table, 0]);
  }
  // What is to see every row, such as a dump, fails and does not come out empty.
  await owner.query('set row_security = off');
  await expect(owner.query('select from hapax.operation')).rejects.toThrow(/affected by row-level security/);
  expect(await paidIn(url.href)).toEqual(['paid']);

  async function paidIn(address: string): Promise<string[]> {
    const app = new pg.Client({ connectionString: address, options: '-c role=hapax_app' });
    await app.connect();
    await app.query(`select set_config('hapax.tenant', $1, false)`, [world.tenants.alpha]);
    const { rows } = await app.query<{ state: string }>('select state from hapax.customer_order');
    await app.end();
    return rows.map(({ state }) => state);
  }
});
