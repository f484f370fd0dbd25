import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { expect, inject, it } from 'vitest';
import { databaseNamed, dropDatabase } from '../support/database-named.ts';
import { schemaText } from '../support/schema-text.ts';

const file = fileURLToPath(new URL('../../activities/stores/postgres/schema.sql', import.meta.url));

it('schema.sql shows the live tables and functions of a migrated database; npm run schema writes it anew', async (context) => {
  const { postgresUrl, template } = inject('ground');
  const name = `s${randomBytes(4).toString('hex')}`;
  const url = await databaseNamed(postgresUrl, name, template);
  context.onTestFinished(() => dropDatabase(postgresUrl, name));
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const text = await schemaText(client);
  await client.end();
  expect(text).toContain('create table hapax.operation (');
  await expect(text).toMatchFileSnapshot(file);
});
