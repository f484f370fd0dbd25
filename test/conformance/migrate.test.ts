import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { expect, inject, it } from 'vitest';
import { migrateSchema } from '../../activities/stores/postgres/migrate.ts';
import { World } from '../support/world.ts';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';

it('a schema that another build has made is told, with what to do, and left as it is', async (context) => {
  const { postgresUrl, template } = inject('ground');
  const name = `m${randomBytes(4).toString('hex')}`;
  const url = await databaseNamed(postgresUrl, name, template);
  context.onTestFinished(() => dropDatabase(postgresUrl, name));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`update hapax_migration set name = '0004_of_another_build' where name like '0004_%'`);
  await expect(migrateSchema(url, () => undefined)).rejects.toThrow(/made by another build .*npm start -- --fresh/s);
  const { rows } = await client.query(`select name from hapax_migration where name like '0004_%'`);
  expect(rows).toEqual([{ name: '0004_of_another_build' }]);
  await client.end();
});

it('a door on a database that has not been migrated for it is not ready, and says so', async (context) => {
  const world = await World.create(inject('ground'), { workers: 0, upkeep: false });
  context.onTestFinished(() => world.close());
  const ready = () => world.until('the door is ready', async () => (await world.ask('GET', '/readyz')).status === 200);
  await ready();
  await world.sql('alter function hapax.claim rename to claim_of_a_build_to_come');
  const { status, text } = await world.ask('GET', '/readyz?verbose');
  expect([status, text]).toEqual([503, expect.stringMatching(/^\[-\]ledger: PostgreSQL does not decide claims/m)]);
  expect((await world.ask('GET', '/healthz')).status).toBe(200);
  await world.sql('alter function hapax.claim_of_a_build_to_come rename to claim');
  await ready();
});
