import { execFile } from 'node:child_process';
import { access, mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Every package with its version, so that a release of one of them changes nothing here. */
const packages = 'test/long/schemathesis.txt';

/**
 * Installs Schemathesis from PyPI into an environment of its own, once.
 * @returns the path of its program
 * @throws where Python or its `venv` is missing, and says so
 */
export async function provideSchemathesis(state = '.hapax'): Promise<string> {
  const home = resolve(state, 'schemathesis');
  const program = join(home, 'venv', 'bin', 'schemathesis');
  const complete = join(home, 'complete');
  if (await exists(complete)) return program;
  await rm(home, { recursive: true, force: true });
  await mkdir(home, { recursive: true });
  const venv = join(home, 'venv');
  await run('python3', ['-m', 'venv', venv]).catch((error: Error) => {
    throw new Error(
      `Schemathesis needs Python 3.10 or later with venv (on Debian: apt-get install python3-venv): ${error.message}`,
    );
  });
  await run(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', packages]).catch(
    (error: Error) => {
      throw new Error(`Schemathesis could not be installed from PyPI: ${error.message}`);
    },
  );
  await mkdir(complete);
  return program;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
