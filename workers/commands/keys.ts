import { randomBytes } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  createApiKey,
  type ListedApiKey,
  listApiKeys,
  revokeApiKey,
} from '../../activities/stores/postgres/callers/manage-api-keys.ts';
import type { Database } from '../../activities/stores/postgres/database.ts';
import { apiKeyName, hashApiKey, namedPrefix, randomness, writeApiKey } from '../../client/http/callers/api-key.ts';
import { callerNameRule, isCallerName } from '../../client/http/callers/caller.ts';
import type { Environment } from '../../workflows/operation/key.ts';
import { type Role, roles } from '../../workflows/operation/role.ts';
import { NotDone } from './not-done.ts';
import { outputOption } from './output-option.ts';
import { withLedger } from './with-ledger.ts';

type Given = {
  readonly tenant?: string;
  readonly environment?: Environment;
  readonly output: 'table' | 'json';
};

type Wanted = Required<Given> & {
  readonly subject: string;
  readonly role: Role;
  readonly expires?: Date;
  readonly note?: string;
};

async function create(database: Database, given: Wanted): Promise<void> {
  const { tenant, environment, subject, role, note = null, expires = null } = given;
  const random = { prefix: randomBytes(randomness.prefix), secret: randomBytes(randomness.secret) };
  const secret = writeApiKey(environment, random);
  const prefix = random.prefix.toString('hex');
  const key = { prefix, hash: hashApiKey(secret), tenant, environment, subject, role, note, expiresAt: expires };
  const made = await createApiKey(database, key);
  if (given.output === 'json') return console.log(JSON.stringify({ ...shown(made), key: secret }));
  // Alone on stdout, so that a script can take it; people read the rest on stderr.
  console.log(secret);
  console.error(`Made ${shown(made).name} for ${tenant}:${environment}:${subject} as ${role}. It is not shown again.`);
}

async function list(database: Database, { tenant, environment, output }: Given): Promise<void> {
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

async function revoke(database: Database, { output }: Given, prefix: string): Promise<void> {
  const key = await revokeApiKey(database, prefix);
  if (key === undefined) throw new NotDone(`There is no key ${prefix}: see hapax keys list`);
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
    throw new InvalidArgumentError('It takes a time from now (90d, 12h, 30m) or a later date (2027-01-31).');
  return end;
}

function callerName(text: string): string {
  if (!isCallerName(text)) throw new InvalidArgumentError(`It takes ${callerNameRule}.`);
  return text;
}

function prefixOf(named: string): string {
  const prefix = namedPrefix(named);
  if (prefix === undefined)
    throw new InvalidArgumentError('It takes the name of a key, such as hpx_live_0123456789ab.');
  return prefix;
}

/** `hapax keys` */
export function keys(): Command {
  const command = new Command('keys').description(
    'makes, lists and revokes API keys. The login of DATABASE_URL has to be able to act as hapax_upkeep, like the one of npm run migrate.',
  );
  const tenant = () => new Option('--tenant <tenant>', 'whose keys').argParser(callerName);
  const environment = () => new Option('--environment <name>', 'for live or for test data').choices(['live', 'test']);
  command
    .command('create')
    .description('makes a key, and prints it once')
    .addOption(tenant().makeOptionMandatory())
    .addOption(environment().makeOptionMandatory())
    .requiredOption('--subject <subject>', 'for whom it speaks', callerName)
    .addOption(new Option('--role <role>', 'what it may do').choices(roles).default('caller'))
    .option('--expires <when>', 'a time from now (90d, 12h, 30m) or a date', endOf)
    .option('--note <text>', 'for people')
    .addOption(outputOption())
    .action(async (given: Wanted) => await withLedger(async (database) => await create(database, given)));
  command
    .command('list')
    .description('shows keys, never their secrets')
    .addOption(tenant())
    .addOption(environment())
    .addOption(outputOption())
    .action(async (given: Given) => await withLedger(async (database) => await list(database, given)));
  command
    .command('revoke')
    .description('ends a key within a second')
    .argument('<name>', 'such as hpx_live_0123456789ab', prefixOf)
    .addOption(outputOption())
    .action(
      async (named: string, given: Given) => await withLedger(async (database) => await revoke(database, given, named)),
    );
  return command;
}
