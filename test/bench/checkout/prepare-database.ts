import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { Database } from '../../../activities/stores/postgres/database.ts';
import { migrateSchema } from '../../../activities/stores/postgres/migrate.ts';
import { seedCatalogue } from '../../../activities/stores/postgres/orders/seed-catalogue.ts';

/** Our schema, the plain side's, and one catalogue with stock enough for both. */
export async function prepareDatabase(url: string): Promise<void> {
  await migrateSchema(url, () => undefined);
  const owner = new Database(url, 'hapax_owner', 1);
  await owner.flush(null, seedCatalogue(['alpha']));
  await owner.close();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(await readFile(new URL('../plain/schema.sql', import.meta.url), 'utf8'));
  await client.end();
}
