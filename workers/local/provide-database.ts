import { join } from 'node:path';
import pg from 'pg';
import { given } from '../config.ts';
import { startPostgres } from './postgres.ts';
import { reachable, type Service } from './service.ts';
import type { Context } from './stack-context.ts';

/** PostgreSQL: a person's own, or the embedded one. */
export async function provideDatabase(context: Context): Promise<Service & { url: string }> {
  const own = given('DATABASE_URL');
  if (own) {
    await reachable('DATABASE_URL', 'PostgreSQL', () => selectOne(own));
    return { url: own, environment: {}, addresses: { PostgreSQL: withoutPassword(own) } };
  }
  const port = context.settings.HAPAX_POSTGRES_PORT;
  const directory = join(context.directory, 'postgres');
  const { url } = await context.run('postgres', 'database', (logFile) =>
    startPostgres({ directory, port, logFile, keeper: context.keeper }),
  );
  return { url, environment: { DATABASE_URL: url }, addresses: { PostgreSQL: url } };
}

async function selectOne(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('select 1');
  } finally {
    await client.end().catch(() => {});
  }
}

function withoutPassword(url: string): string {
  const parsed = new URL(url);
  if (parsed.password) parsed.password = '***';
  return parsed.href;
}
