import { Database } from '../activities/stores/postgres/database.ts';
import { serverFaults, migrateSchema, migrationSql } from '../activities/stores/postgres/migrate.ts';
import type { Registration } from '../activities/registration.ts';
import { ConfigFault, readConfig } from './config.ts';
import { keptSealKeys } from './kept-seal-keys.ts';
import { registrations } from './registrations.ts';
import { tenantsOf } from './tokens.ts';

/**
 * Brings the schema up to date, and, for the local stack, fills in what its tenants begin with.
 * @throws ConfigFault when the server would forget what it accepted
 */
export async function migrate(
  databaseUrl: string,
  log: (line: string) => void,
  options: { readonly seedTenants?: readonly string[] } = {},
): Promise<void> {
  const faults = await serverFaults(databaseUrl);
  if (faults.length > 0)
    throw new ConfigFault(`DATABASE_URL names a server that cannot be relied on:\n  ${faults.join('\n  ')}`);
  await migrateSchema(databaseUrl, log);
  if (options.seedTenants === undefined) return;
  await seed(databaseUrl, options.seedTenants, await registrations());
}

/** Fills in what tenants begin with: the seeds of all flows. */
export async function seed(
  databaseUrl: string,
  tenants: readonly string[],
  registered: readonly Pick<Registration, 'seed'>[],
): Promise<void> {
  const database = new Database(databaseUrl, 'hapax_owner', 1);
  try {
    await database.flush(null, ...registered.flatMap((flow) => flow.seed?.(tenants) ?? []));
  } finally {
    await database.close();
  }
}

const usage = 'Use: npm run migrate, or npm run -s migrate -- --print; --seed also fills the local catalogue.';

if (import.meta.main) {
  const unknown = process.argv.slice(2).filter((word) => word !== '--print' && word !== '--seed');
  if (unknown.length > 0) {
    console.error(`There is no option ${unknown.join(' ')}. ${usage}`);
    process.exitCode = 2;
  } else if (process.argv.includes('--print')) console.log(await migrationSql());
  else
    await fromCommandLine().catch((error: unknown) => {
      console.error(error instanceof ConfigFault ? error.message : unusable(error as Error & { code?: string }));
      process.exitCode = 1;
    });
}

function unusable({ message, code }: Error & { code?: string }): string {
  return `The database of DATABASE_URL cannot be migrated: ${message || code}`;
}

async function fromCommandLine(): Promise<void> {
  const { DATABASE_URL } = readConfig(['DATABASE_URL']);
  const { HAPAX_TOKENS } = readConfig(['HAPAX_TOKENS']);
  const { HAPAX_SEAL_KEYS, HAPAX_SEAL_KEYS_KEPT_IN: keptIn } = readConfig([
    'HAPAX_SEAL_KEYS',
    'HAPAX_SEAL_KEYS_KEPT_IN',
  ]);
  // The containers that need it start when this has ended.
  if (HAPAX_SEAL_KEYS === undefined && keptIn !== undefined) await keptSealKeys(keptIn);
  if (!process.argv.includes('--seed')) return await migrate(DATABASE_URL, console.log);
  // Where callers bring JWTs or API keys there is no list of tenants, and nothing to fill.
  const seedTenants = HAPAX_TOKENS === undefined ? [] : tenantsOf(HAPAX_TOKENS);
  await migrate(DATABASE_URL, console.log, { seedTenants });
}
