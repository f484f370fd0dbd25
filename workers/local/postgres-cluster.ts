import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostgresIdentity } from './postgres-identity.ts';
import { runCommand } from './run-command.ts';

/**
 * Makes the cluster under another name, puts its password in, and renames it when it is complete. An interrupted initdb
 * leaves nothing behind.
 * @returns the superuser's password
 * @throws when there is a cluster that is not ours, which is never removed
 */
export async function ensureCluster(directory: string, initdb: string, runsAs: PostgresIdentity): Promise<string> {
  const data = join(directory, 'data');
  const known = await readFile(join(data, 'password'), 'utf8').catch(() => undefined);
  if (known) return known;
  if (existsSync(data)) {
    throw new Error(
      `${data} holds no password file, so this is not a database that Hapax made: restore the file, move the directory away, or start afresh with --fresh`,
    );
  }
  const [draft, draftPassword] = [join(directory, 'data.new'), join(directory, 'password.new')];
  await rm(draft, { recursive: true, force: true });
  const password = randomBytes(18).toString('base64url');
  await writeFile(draftPassword, password, { mode: 0o600 });
  if (runsAs.identity) await chown(draftPassword, runsAs.identity.uid, runsAs.identity.gid);
  const [command, ...args] = [
    ...runsAs.prefix,
    initdb,
    `--pgdata=${draft}`,
    '--username=hapax',
    `--pwfile=${draftPassword}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    // The same sort order on every machine, whatever locales it has.
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
  ];
  await runCommand(command as string, args, { patience: 120_000, identity: runsAs.identity });
  await rename(draftPassword, join(draft, 'password'));
  await rename(draft, data);
  return password;
}
