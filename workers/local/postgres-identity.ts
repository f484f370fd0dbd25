import { chown } from 'node:fs/promises';
import { platform, userInfo } from 'node:os';
import { runCommand } from './run-command.ts';

/** The user that PostgreSQL runs as. It refuses root, and containers and cloud machines often have no other user. */
export type PostgresIdentity = {
  /** Put before the command line. */
  prefix: readonly string[];
  identity?: { uid: number; gid: number };
};

const patience = 5_000; // each of these commands takes milliseconds

/**
 * An ordinary user runs PostgreSQL directly. Root on Linux runs it in a user namespace, in which root's own files
 * belong to an ordinary user: nothing is added to the system, and a home that only root may enter (0700) is no
 * obstacle. Where namespaces are refused, PostgreSQL runs as the system user `postgres`, which is made if it is
 * missing.
 */
export async function postgresIdentity(directory: string): Promise<PostgresIdentity> {
  if (userInfo().uid !== 0) return { prefix: [] };
  if (platform() === 'linux') {
    const prefix = ['unshare', '--user', '--map-user=1000', '--map-group=1000'];
    const refused = await runCommand('unshare', [...prefix.slice(1), 'true'], { patience }).catch((fault) => fault);
    if (!(refused instanceof Error)) return { prefix };
  }
  const identity = await systemUser();
  await chown(directory, identity.uid, identity.gid);
  return { prefix: [], identity };
}

async function systemUser(): Promise<{ uid: number; gid: number }> {
  const ask = async (flag: string) => Number((await runCommand('id', [flag, 'postgres'], { patience })).trim());
  try {
    return { uid: await ask('-u'), gid: await ask('-g') };
  } catch {
    try {
      await runCommand('groupadd', ['postgres'], { patience });
      await runCommand('useradd', ['-g', 'postgres', 'postgres'], { patience });
      return { uid: await ask('-u'), gid: await ask('-g') };
    } catch (fault) {
      throw new Error(
        `PostgreSQL refuses to run as root, and neither a user namespace nor a user named postgres can be had here (${(fault as Error).message}): start Hapax as an ordinary user, or give a PostgreSQL as DATABASE_URL`,
      );
    }
  }
}
