import { randomBytes } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';

/**
 * Makes a seal key the first time, and keeps it: a stack on one machine needs no manual step, and opens after a restart
 * what it has sealed before.
 * @returns the file
 */
export async function keptSealKeys(file: string): Promise<string> {
  const made = `${file}.${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(made, `local:${randomBytes(32).toString('base64')}\n`, { flag: 'wx', mode: 0o600 });
    // The whole key gets its name at once, so nobody reads half of one. A key that is there stays.
    await link(made, file).catch((fault: NodeJS.ErrnoException) => {
      if (fault.code !== 'EEXIST') throw fault;
    });
  } finally {
    await rm(made, { force: true });
  }
  return file;
}
