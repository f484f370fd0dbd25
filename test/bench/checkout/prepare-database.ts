import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { migrateSchema } from '../../../activities/stores/postgres/migrate.ts';
import { seed } from '../../../workers/migrate.ts';
import { registrations } from '../../../workers/registrations.ts';

/** Our schema, the plain side's, and one catalogue with stock enough for both. */
export async function prepareDatabase(url: string): Promise<void> {
  await migrateSchema(url, () => undefined);
  await seed(url, ['alpha'], await registrations());
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(await readFile(new URL('../plain/schema.sql', import.meta.url), 'utf8'));
  await client.end();
}
