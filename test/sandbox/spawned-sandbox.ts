import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { providerAt } from './provider.ts';

const main = new URL('../../workers/sandbox/main.ts', import.meta.url).pathname;

/** The sandbox as a process of its own, on the given directory, perhaps with a file size limit. */
export async function spawnSandbox(
  data: string,
  { limitKiB, flags = [] }: { limitKiB?: number; flags?: string[] } = {},
) {
  const limit = limitKiB === undefined ? '' : `ulimit -f ${limitKiB}; `;
  const command = `${limit}exec "$0" "$@" ${limit === '' ? '' : '2>/dev/null'}`;
  const argv = ['-c', command, process.execPath, main, '--data', data, ...flags];
  const child = spawn('bash', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const stop = async (signal: 'SIGKILL' | 'SIGTERM') => {
    child.kill(signal);
    const [code] = await once(child, 'exit');
    return code as number | null;
  };
  return { ...providerAt((JSON.parse(line) as { url: string }).url), stop, exit: once(child, 'exit') };
}
