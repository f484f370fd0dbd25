import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startChild } from '../../workers/local/child.ts';
import { freePorts } from '../../workers/local/free-port.ts';
import { startKeeper } from '../../workers/local/keeper.ts';
import { startTime } from '../../workers/local/process-identity.ts';
import { becomes } from './becomes.ts';
import { scratch } from './scratch.ts';

/** The keeper asks, then insists after 3 s. This allows for a busy machine. Milliseconds. */
const patience = 30_000;

const isGone = async (pid: number) => (await startTime(pid)) === undefined;

test('leaves no process behind when the parent is killed with SIGKILL', async () => {
  const [port] = await freePorts(1);
  const fixture = fileURLToPath(new URL('fixtures/parent-of-postgres.ts', import.meta.url));
  const parent = spawn(process.execPath, [fixture, await scratch(), String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const { postgres, keeper } = JSON.parse(line.toString()) as { postgres: number; keeper: number };
  expect(await isGone(postgres)).toBe(false);

  parent.kill('SIGKILL');

  expect(await becomes(() => isGone(postgres), patience)).toBe(true);
  expect(await becomes(() => isGone(keeper), patience)).toBe(true);
});

test('insists where a child does not listen', async () => {
  const directory = await scratch();
  const keeper = startKeeper();
  const deaf = await startChild({
    command: '/bin/sh',
    args: ['-c', "trap '' TERM; echo deaf; while :; do sleep 1; done"],
    logFile: `${directory}/deaf.log`,
    keeper,
  });
  expect(await becomes(() => deaf.lastLines() === 'deaf', patience)).toBe(true);
  await keeper.close();
  expect(await deaf.ended).toEqual({ code: null, signal: 'SIGKILL' });
});

test('forgets a child that has ended, and goes when nothing is left', async () => {
  const directory = await scratch();
  const keeper = startKeeper();
  const short = await startChild({ command: 'true', args: [], logFile: `${directory}/short.log`, keeper });
  await short.ended;
  await keeper.close();
  expect(await isGone(keeper.pid)).toBe(true);
});

test('lets nothing start that it could not keep', async () => {
  const directory = await scratch();
  const keeper = startKeeper();
  await keeper.close();
  const late = startChild({ command: 'true', args: [], logFile: `${directory}/late.log`, keeper });
  await expect(late).rejects.toThrow('everything is being stopped');
});
