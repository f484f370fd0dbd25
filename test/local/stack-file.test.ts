import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { environmentWith } from '../../workers/config.ts';
import { startChild } from '../../workers/local/child.ts';
import { claimStack } from '../../workers/local/stack-file.ts';
import { scratch } from './scratch.ts';

test('a second start beside a running one says so in one sentence and exits with 1', async () => {
  const directory = await scratch();
  const stack = await claimStack(directory);
  await stack.ready({ HTTP: 'http://127.0.0.1:8080' }, {});
  const script = fileURLToPath(new URL('../../workers/local.ts', import.meta.url));
  const second = spawn(process.execPath, [script], { env: environmentWith({ HAPAX_STATE_DIRECTORY: directory }) });
  let said = '';
  for (const stream of [second.stdout, second.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(second, 'close')) as [number];
  expect(said).toBe(
    `Hapax already runs here at http://127.0.0.1:8080 (process ${process.pid}): use it, or stop it first.\n`,
  );
  expect(code).toBe(1);
});

test('ends what a killed stack left behind, and takes its place', async () => {
  const directory = await scratch();
  const killed = await claimStack(directory);
  const leftover = await startChild({ command: 'sleep', args: ['60'], logFile: `${directory}/leftover.log` });
  await killed.started('leftover', leftover.pid);
  await pretendThatItWasKilled(directory);

  await claimStack(directory);

  expect(await leftover.ended).toEqual({ code: null, signal: 'SIGTERM' });
});

test('leaves a process alone that only has the number of a former one', async () => {
  const directory = await scratch();
  await claimStack(directory);
  const stranger = await startChild({ command: 'sleep', args: ['60'], logFile: `${directory}/stranger.log` });
  onTestFinished(() => stranger.stop());
  await pretendThatItWasKilled(directory, { media: { pid: stranger.pid, startTime: 'another time' } });

  await claimStack(directory);

  expect(stranger.isRunning()).toBe(true);
});

test('ignores a file that was cut off by a power failure', async () => {
  const directory = await scratch();
  await writeFile(`${directory}/stack.json`, '{"pid": 12');
  const stack = await claimStack(directory);
  await stack.release();
  await expect(readFile(`${directory}/stack.json`)).rejects.toThrow('ENOENT');
});

async function pretendThatItWasKilled(directory: string, processes?: object): Promise<void> {
  const file = `${directory}/stack.json`;
  const content = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...content, startTime: 'long ago', ...(processes && { processes }) }));
}
