import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Fetches into a directory of its own beside the cache, then moves the one binary into its place: an interrupted fetch
 * is never taken for a binary, and two of them at once do not disturb each other.
 * @param fetch puts its files into the directory that it is given, and says where the binary is
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
