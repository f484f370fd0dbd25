import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { type Durability, durability, durabilityProofs } from './ground/prove-server.ts';
import { type Described, type Nature, nature, selfDescription, serverProof } from './ground/server-proof.ts';

const directory = fileURLToPath(new URL('./migrations', import.meta.url));

/**
 * Brings the schema up to date, guarded by an advisory lock, each migration in a transaction of its own.
 * @returns the names of the migrations that were run now
 */
export async function migrateSchema(url: string, log: (line: string) => void): Promise<readonly string[]> {
  // Tables force row security for their owner too. With this, a migration that reads rows fails instead of seeing none.
  const client = new pg.Client({ connectionString: url, options: '-c row_security=off' });
  await client.connect();
  try {
    const done = await runner({
      // A connection of the runner's own is still open when it returns, and an end of its database would end this process.
      dbClient: client,
      dir: directory,
      migrationsTable: 'hapax_migration',
      direction: 'up',
      checkOrder: true,
      log,
      verbose: false,
    });
    return done.map((migration) => migration.name);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('Not run migration')) throw error;
    throw new Error(
      `The schema was made by another build (${error.message}). Use that build, or give another database; a local stack ` +
        'begins anew with npm start -- --fresh.',
      { cause: error },
    );
  } finally {
    await client.end();
  }
}

/** The plain SQL of all migrations, for a DBA to review. */
export async function migrationSql(): Promise<string> {
  const files = (await readdir(directory)).sort();
  const parts = await Promise.all(
    files.map(async (file) => `-- ${file}\n${await readFile(`${directory}/${file}`, 'utf8')}`),
  );
  return parts.join('\n');
}

/** @returns what of the server breaks it, in words */
export async function serverFaults(url: string): Promise<readonly string[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  const first = async <T>(text: string): Promise<T> => (await client.query(text)).rows[0] as T;
  try {
    const described = await first<Described>(selfDescription);
    const server = serverProof(
      described,
      await first<Nature>(`select ${nature}`).catch((error: Error) => error.message),
    );
    if (server.state === 'failed') return [server.says];
    const proofs = durabilityProofs(await first<Durability>(durability.text));
    return proofs.filter(({ state }) => state === 'failed').map(({ says }) => says);
  } finally {
    await client.end();
  }
}
