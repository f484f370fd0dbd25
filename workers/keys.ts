import { randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import {
  createApiKey,
  type ListedApiKey,
  listApiKeys,
  revokeApiKey,
} from '../activities/stores/postgres/callers/manage-api-keys.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import { apiKeyName, hashApiKey, namedPrefix, randomness, writeApiKey } from '../client/http/callers/api-key.ts';
import { callerNameRule, isCallerName, isEnvironment } from '../client/http/callers/caller.ts';
import { type Role, roles } from '../workflows/operation/role.ts';
import { ConfigFault, readConfig } from './config.ts';

const usage = `Makes, lists and revokes API keys in the database of DATABASE_URL. Its login has to be able to act as hapax_upkeep, like the
one of npm run migrate.

  npm run keys -- create --tenant TENANT --environment live|test --subject SUBJECT
                         [--role viewer|caller|operator] [--expires 90d] [--note TEXT]
  npm run keys -- list [--tenant TENANT] [--environment live|test]
  npm run keys -- revoke hpx_live_0123456789ab

-o json prints JSON. Exit codes: 0 done, 1 not done, 2 wrong usage.`;

class WrongUsage extends Error {}

/** A key that does not exist, or a database that cannot be used. */
class NotDone extends Error {}

const options = {
  tenant: { type: 'string' },
  environment: { type: 'string' },
  subject: { type: 'string' },
  role: { type: 'string', default: 'caller' },
  expires: { type: 'string' },
  note: { type: 'string' },
  output: { type: 'string', short: 'o', default: 'table' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

type Values = ReturnType<typeof parse>['values'];

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
}

async function create(database: Database, given: Values): Promise<void> {
  const { tenant, environment, subject, role, note = null } = given;
  if (!isCallerName(tenant)) throw new WrongUsage(`--tenant takes ${callerNameRule}`);
  if (!isEnvironment(environment)) throw new WrongUsage('--environment takes live or test');
  if (!isCallerName(subject)) throw new WrongUsage(`--subject takes ${callerNameRule}`);
  if (!isRole(role)) throw new WrongUsage(`--role takes one of ${roles.join(', ')}`);
  const expiresAt = given.expires === undefined ? null : endOf(given.expires);
  const random = { prefix: randomBytes(randomness.prefix), secret: randomBytes(randomness.secret) };
  const secret = writeApiKey(environment, random);
  const prefix = random.prefix.toString('hex');
  const key = { prefix, hash: hashApiKey(secret), tenant, environment, subject, role, note, expiresAt };
  const made = await createApiKey(database, key);
  if (given.output === 'json') return console.log(JSON.stringify({ ...shown(made), key: secret }));
  // Alone on stdout, so that a script can take it; people read the rest on stderr.
  console.log(secret);
  console.error(`Made ${shown(made).name} for ${tenant}:${environment}:${subject} as ${role}. It is not shown again.`);
}

async function list(database: Database, { tenant, environment, output }: Values): Promise<void> {
  const keys = (await listApiKeys(database, { tenant, environment })).map(shown);
  if (output === 'json') return console.log(JSON.stringify(keys));
  if (keys.length === 0) return console.error('There are no keys.');
  const heads = ['name', 'tenant', 'subject', 'role', 'state', 'createdAt', 'lastUsedAt', 'expiresAt', 'note'] as const;
  const rows = [heads, ...keys.map((key) => heads.map((head) => key[head] ?? '-'))];
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, n) => cell.padEnd(widths[n] as number))
        .join('  ')
        .trimEnd(),
    );
}

async function revoke(database: Database, { output }: Values, named: string | undefined): Promise<void> {
  const prefix = namedPrefix(named ?? '');
  if (prefix === undefined) throw new WrongUsage('revoke takes the name of a key, such as hpx_live_0123456789ab');
  const key = await revokeApiKey(database, prefix);
  if (key === undefined) throw new NotDone(`There is no key ${prefix}: see npm run keys -- list`);
  if (output === 'json') return console.log(JSON.stringify(shown(key)));
  console.log(`${shown(key).name} was revoked at ${shown(key).revokedAt}: every process refuses it within a second.`);
}

function shown(key: ListedApiKey) {
  const ended = key.expiresAt !== null && key.expiresAt.getTime() <= Date.now();
  return {
    name: apiKeyName(key.environment, key.prefix),
    tenant: key.tenant,
    environment: key.environment,
    subject: key.subject,
    role: key.role,
    state: key.revokedAt !== null ? 'revoked' : ended ? 'expired' : 'valid',
    note: key.note,
    createdAt: key.createdAt.toISOString(),
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
    expiresAt: key.expiresAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
  };
}

/** `90d`, `12h` or `30m` from now, or a point in time in ISO 8601. */
function endOf(text: string): Date {
  const [, count, unit] = /^(\d{1,5})([dhm])$/.exec(text) ?? [];
  const minutes = { d: 1_440, h: 60, m: 1 }[unit as 'd' | 'h' | 'm'];
  const end = count === undefined ? new Date(text) : new Date(Date.now() + Number(count) * minutes * 60_000);
  if (Number.isNaN(end.getTime()) || end.getTime() <= Date.now())
    throw new WrongUsage('--expires takes a time from now (90d, 12h, 30m) or a later date (2027-01-31)');
  return end;
}

function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}

async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args);
  if (values.help) return console.log(usage);
  if (values.output !== 'table' && values.output !== 'json') throw new WrongUsage('-o takes table or json');
  const [command, named, ...rest] = positionals;
  if (rest.length > 0 || (named !== undefined && command !== 'revoke'))
    throw new WrongUsage('There are too many words');
  if (command !== 'create' && command !== 'list' && command !== 'revoke')
    throw new WrongUsage('Say create, list or revoke');
  const database = new Database(readConfig(['DATABASE_URL']).DATABASE_URL, 'hapax_upkeep', 1);
  try {
    if (command === 'create') await create(database, values);
    else if (command === 'list') await list(database, values);
    else await revoke(database, values, named);
  } finally {
    await database.close();
  }
}

if (import.meta.main)
  await run(process.argv.slice(2)).catch((error: Error) => {
    const wrong = error instanceof WrongUsage;
    if (wrong) console.error(`${error.message}.\n\n${usage}`);
    else if (error instanceof ConfigFault || error instanceof NotDone) console.error(error.message);
    else if (/permission denied/.test(error.message))
      console.error(
        'PostgreSQL says: permission denied. DATABASE_URL needs a login that may act as hapax_upkeep, such as the one of npm run migrate.',
      );
    else console.error(`The keys of DATABASE_URL cannot be managed: ${error.message}`);
    process.exitCode = wrong ? 2 : 1;
  });
