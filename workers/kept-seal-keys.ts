import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';

/**
 * Makes a seal key the first time, and keeps it: a stack on one machine needs no manual step, and opens after a restart
 * what it has sealed before.
 * @returns the file
 */
export async function keptSealKeys(file: string): Promise<string> {
  const key = `local:${randomBytes(32).toString('base64')}\n`;
  // wx: a key that is there stays, and of two processes that start at once only one makes it.
  await writeFile(file, key, { flag: 'wx', mode: 0o600 }).catch((fault: NodeJS.ErrnoException) => {
    if (fault.code !== 'EEXIST') throw fault;
  });
  return file;
}
