import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Debian keeps servers where a user's PATH does not look. */
const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];

/**
 * Finds a server that a test runs beside ours and that npm cannot bring.
 * @returns its path; undefined where a developer's machine has none, so that the test can say so and not run
 * @throws in CI, where `.ci/run` installs it: a test that does not run there proves nothing
 */
export function systemBinary(name: string, debianPackage: string): string | undefined {
  const path = places.map((place) => join(place, name)).find(isExecutable);
  if (path === undefined && process.env.CI !== undefined)
    throw new Error(`${name} is not installed: .ci/run has to install Debian's ${debianPackage}`);
  if (path === undefined) console.warn(`Not run without ${name}: apt-get install ${debianPackage}`);
  return path;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
