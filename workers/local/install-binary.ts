import { rmSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Fetches into a directory of its own beside the cache, then moves the one binary into its place. An interrupted fetch
 * is never mistaken for a binary, and two concurrent fetches do not disturb each other. A process that exits in the
 * middle of a fetch removes what it has fetched.
 * @param fetch puts its files into the given directory and returns the path of the binary
 */
export async function installBinary(
  destination: string,
  fetch: (workplace: string) => Promise<string>,
): Promise<string> {
  await mkdir(dirname(destination), { recursive: true });
  const workplace = await mkdtemp(join(dirname(destination), '.fetching-'));
  // The commands of the fetch have been sent SIGKILL by then, and may still write for a moment: hence the retries.
  const remove = () => rmSync(workplace, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  process.once('exit', remove);
  try {
    const binary = await fetch(workplace);
    await chmod(binary, 0o755);
    await rename(binary, destination);
    return destination;
  } finally {
    process.off('exit', remove);
    await rm(workplace, { recursive: true, force: true });
  }
}
