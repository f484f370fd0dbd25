import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';

const directory = fileURLToPath(new URL('./migrations', import.meta.url));

/**
 * Brings the schema up to date, guarded by an advisory lock, each migration in a transaction of its own.
 * @returns the names of the migrations that were run now
 */
export async function migrateSchema(url: string, log: (line: string) => void): Promise<readonly string[]> {
  const done = await runner({
    databaseUrl: url,
    dir: directory,
    migrationsTable: 'hapax_migration',
    direction: 'up',
    checkOrder: true,
    log,
    verbose: false,
  }).catch((error: Error) => {
    if (!error.message.startsWith('Not run migration')) throw error;
    throw new Error(
      `The schema was made by another build (${error.message}). Use that build, or give another database; a local stack ` +
        'begins anew with npm start -- --fresh.',
      { cause: error },
    );
  });
  return done.map((migration) => migration.name);
}

/** The plain SQL of all migrations, for a DBA to review. */
export async function migrationSql(): Promise<string> {
  const files = (await readdir(directory)).sort();
  const parts = await Promise.all(
    files.map(async (file) => `-- ${file}\n${await readFile(`${directory}/${file}`, 'utf8')}`),
  );
  return parts.join('\n');
}

/** `transaction_timeout` came with it. As `server_version_num` counts. */
const oldestServer = 170_000;

/** Acceptance means durability: @returns what of the server breaks it, in words */
export async function serverFaults(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string; setting: string }>(
      `select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')`,
    );
    const faults = rows
      .filter(({ setting }) => setting === 'off' || setting === 'local')
      .map(({ name, setting }) => `${name} is ${setting}: set it to on, or a crash forgets what was accepted`);
    const version = await client.query<{ number: number; name: string }>(
      `select current_setting('server_version_num')::int as number, current_setting('server_version') as name`,
    );
    for (const { number, name } of version.rows)
      if (number < oldestServer) faults.push(`it is PostgreSQL ${name}: take version 17 or a later one`);
    const recovering = await client.query<{ standby: boolean }>('select pg_is_in_recovery() as standby');
    if (recovering.rows[0]?.standby === true) faults.push('the server is a standby: give the address of the primary');
    return faults;
  } finally {
    await client.end();
  }
}
