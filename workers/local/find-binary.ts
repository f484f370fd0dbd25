import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';

/** One place to look in. Gives the path of the binary, undefined when there is none, or throws why it cannot be had. */
type Source = { place: string; look: () => Promise<string | undefined> };

/**
 * Looks in one place after the other and gives the first binary found.
 * @throws listing each place and why it had none, and what to do about it
 */
export async function findBinary(options: {
  what: string;
  /** What the user chose. Then it is that binary or an error, never another one. */
  chosen: { variable: string; path: string | undefined };
  sources: readonly Source[];
  advice: string;
}): Promise<string> {
  const { variable, path } = options.chosen;
  if (path) {
    if (await isExecutable(path)) return resolve(path);
    throw new Error(`${variable} is set to ${path}, which is not a program that can be run: correct it, or unset it`);
  }
  const misses = [`${variable}: not set`];
  for (const source of options.sources) {
    try {
      const found = await source.look();
      if (found) return found;
      misses.push(`${source.place}: not there`);
    } catch (fault) {
      misses.push(`${source.place}: ${(fault as Error).message}`);
    }
  }
  throw new Error(
    `${options.what} is needed and was not found. ${options.advice} Looked in:\n  ${misses.join('\n  ')}`,
  );
}

export const onPath = (name: string, path: string): Source => ({
  place: 'the PATH',
  look: () =>
    firstExecutable(
      path
        .split(delimiter)
        .filter(Boolean)
        .map((folder) => join(folder, name)),
    ),
});

/** A binary that the local stack can do without. */
export const findOnPath = (name: string, path: string): Promise<string | undefined> => onPath(name, path).look();

export const atPath = (place: string, path: string): Source => ({
  place: `${place} (${path})`,
  look: () => firstExecutable([path]),
});

async function firstExecutable(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await isExecutable(path)) return path;
  return undefined;
}

const isExecutable = (path: string) =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
