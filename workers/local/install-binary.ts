import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Fetches into a directory of its own beside the cache, then moves the one binary into its place. An interrupted fetch
 * is never mistaken for a binary, and two concurrent fetches do not disturb each other.
 * @param fetch puts its files into the given directory and returns the path of the binary
 */
export async function installBinary(
  destination: string,
  fetch: (workplace: string) => Promise<string>,
): Promise<string> {
  await mkdir(dirname(destination), { recursive: true });
  const workplace = await mkdtemp(join(dirname(destination), '.fetching-'));
  try {
    const binary = await fetch(workplace);
    await chmod(binary, 0o755);
    await rename(binary, destination);
    return destination;
  } finally {
    await rm(workplace, { recursive: true, force: true });
  }
}
