import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { commandLine } from './process-identity.ts';

/** A server that a keeper is ending right now takes up to 3 s, then gets SIGKILL. 6 s covers both. Milliseconds. */
const patience = 6_000;

/**
 * Removes the lock file of a server that was killed. PostgreSQL does that too, unless another program has since been
 * given its process id. Then PostgreSQL would refuse to start until somebody deletes the file by hand.
 * @throws when a server does run on this directory
 */
export async function clearStalePostmaster(data: string): Promise<void> {
  const file = join(data, 'postmaster.pid');
  const deadline = Date.now() + patience;
  for (;;) {
    const content = await readFile(file, 'utf8').catch(() => undefined);
    if (content === undefined) return;
    const pid = Number(content.split('\n')[0]);
    const command = await commandLine(pid);
    if (!command?.includes(data)) {
      await rm(file, { force: true });
      return;
    }
    if (Date.now() > deadline) {
      throw new Error(
        `PostgreSQL process ${pid} still runs on ${data}: end it with kill -INT ${pid}, then start again`,
      );
    }
    await pause(100);
  }
}
