import { expect, test } from 'vitest';
import { startChild } from '../../workers/local/child.ts';
import { supervise } from '../../workers/local/supervise.ts';
import { becomes } from './becomes.ts';
import { scratch } from './scratch.ts';

/** For a busy machine. Milliseconds. */
const patience = 30_000;

test('starts a part again when it ends by itself, says so, and lets it go when told to stop', async () => {
  const directory = await scratch();
  const [pids, lines]: [number[], string[]] = [[], []];
  const supervised = await supervise({
    name: 'sleeper',
    logFile: 'sleeper.log',
    start: () => startChild({ command: 'sleep', args: ['60'], logFile: `${directory}/sleeper.log` }),
    say: (line) => lines.push(line),
    onStart: (pid) => pids.push(pid),
    firstPause: 20,
  });
  process.kill(supervised.first.pid, 'SIGKILL');
  expect(await becomes(() => pids.length === 2, patience)).toBe(true);
  process.kill(pids[1] ?? 0, 'SIGKILL');
  expect(await becomes(() => lines.length === 4, patience)).toBe(true);
  expect(lines).toEqual([
    'sleeper ended by itself (see sleeper.log); starting it again in 0.02 s',
    `sleeper runs again (process ${pids[1]})`,
    'sleeper ended by itself (see sleeper.log); starting it again in 0.04 s',
    `sleeper runs again (process ${pids[2]})`,
  ]);
  await supervised.stop();
  expect(pids).toHaveLength(3);
});

test('waits two seconds at most, however often a part is killed', async () => {
  const directory = await scratch();
  const [pids, lines]: [number[], string[]] = [[], []];
  const supervised = await supervise({
    name: 'sleeper',
    logFile: 'sleeper.log',
    start: () => startChild({ command: 'sleep', args: ['60'], logFile: `${directory}/sleeper.log` }),
    say: (line) => lines.push(line),
    onStart: (pid) => pids.push(pid),
    firstPause: 900,
  });
  for (let kills = 1; kills <= 3; kills += 1) {
    process.kill(pids.at(-1) as number, 'SIGKILL');
    expect(await becomes(() => lines.length === 2 * kills, patience)).toBe(true);
  }
  await supervised.stop();
  const pauses = lines.filter((line) => line.includes('starting it again')).map((line) => line.split(' in ').at(-1));
  expect(pauses).toEqual(['0.9 s', '1.8 s', '2 s']);
});

test('fails at once when the first start fails', async () => {
  const start = () => Promise.reject(new Error('no such program'));
  await expect(supervise({ name: 'ghost', logFile: '', start, say: () => {} })).rejects.toThrow('no such program');
});
