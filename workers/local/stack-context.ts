import { rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fakePorts } from '../../activities/outside/systems.ts';
import { ConfigFault, readConfig } from '../config.ts';
import type { Say } from './say.ts';
import { freePorts } from './free-port.ts';
import { type Keeper, startKeeper } from './keeper.ts';
import { portsToOpen } from './parts.ts';
import { claimStack, type Stack } from './stack-file.ts';
import { type Running, supervise } from './supervise.ts';

const wanted = [
  'HAPAX_HTTP_HOST',
  'HAPAX_HTTP_PORT',
  'HAPAX_POSTGRES_PORT',
  'HAPAX_TEMPORAL_PORT',
  'HAPAX_TEMPORAL_UI_PORT',
  'HAPAX_S3_PORT',
  'HAPAX_REDIS_PORT',
  'HAPAX_NATS_PORT',
  'HAPAX_SMTP_PORT',
  'HAPAX_MAIL_UI_PORT',
  ...fakePorts,
  'HAPAX_STATE_DIRECTORY',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_CLI',
  'VERSITYGW',
  'NATS_SERVER',
  'PATH',
] as const;

type Settings = ReturnType<typeof readConfig<(typeof wanted)[number]>>;

/** The order in which things stop: whoever asks goes before whoever is asked. */
const stopOrder = ['door', 'workers', 'services', 'database'] as const;
type Stage = (typeof stopOrder)[number];
/** Milliseconds before SIGKILL; together under the 10 s after which a person presses Ctrl-C again. */
const stopPatience: Record<Stage, number> = { door: 2_000, workers: 3_500, services: 2_000, database: 2_000 };

/** What every part needs in order to start, and the list of what has started. */
export type Context = {
  settings: Settings;
  directory: string;
  cache: string;
  keeper: Keeper;
  stack: Stack;
  say: Say;
  /** Starts a part, keeps it running, and stops it with its stage. */
  run<Part extends Running>(name: string, stage: Stage, start: (logFile: string) => Promise<Part>): Promise<Part>;
  /** Stops whatever was started, in order, and says so where there is anything to stop. */
  stopAll(): Promise<void>;
};

/** @throws when a setting is wrong, or another stack runs on the same directory */
export async function openContext(say: Say): Promise<Context> {
  const settings = await choosePorts(readConfig(wanted));
  const directory = resolve(settings.HAPAX_STATE_DIRECTORY);
  const stack = await claimStack(directory);
  await keepLastLogs(join(directory, 'logs'));
  const keeper = startKeeper();
  let closing = false;
  let started = false;
  const running: { stage: Stage; stop(patience: number): Promise<void> }[] = [];
  return {
    settings,
    directory,
    cache: join(directory, 'cache', 'bin'),
    keeper,
    stack,
    say,
    async run(name, stage, start) {
      started = true;
      const logFile = join(directory, 'logs', `${name}.log`);
      const part = await supervise({
        name,
        logFile,
        say: (line) => closing || say(line),
        start: () => start(logFile),
        onStart: (pid) => void stack.started(name, pid),
      });
      running.push({ stage, stop: (patience) => part.stop(patience) });
      if (closing) await part.stop(); // it became ready while the others were being stopped
      return part.first;
    },
    async stopAll() {
      closing = true;
      if (started) say('Stopping');
      for (const stage of stopOrder) {
        const parts = running.filter((part) => part.stage === stage);
        await Promise.allSettled(parts.map((part) => part.stop(stopPatience[stage])));
      }
      await keeper.close(); // ends what was only half started, too
      await stack.release();
      if (started) say('Stopped');
    },
  };
}

/** @throws ConfigFault where two of our own parts are to use one port */
function expectApart(settings: Settings): void {
  const users = new Map<number, string>();
  for (const { variable } of portsToOpen()) {
    const port = settings[variable];
    if (port === 0) continue;
    const other = users.get(port);
    if (other !== undefined)
      throw new ConfigFault(`Cannot start:\n  ${other} and ${variable} are both ${port}: give each a port of its own`);
    users.set(port, variable);
  }
}

/** A port of 0 means any free one, as everywhere; `stack.json` tells which. */
async function choosePorts(settings: Settings): Promise<Settings> {
  expectApart(settings);
  const open = wanted.filter((name) => name.endsWith('_PORT') && settings[name] === 0);
  const free = await freePorts(open.length);
  return { ...settings, ...Object.fromEntries(open.map((name, index) => [name, free[index]])) };
}

/** Logs begin with the stack, so that they do not grow for ever; those of the last one are kept, since it may have crashed. */
async function keepLastLogs(logs: string): Promise<void> {
  await rm(`${logs}.last`, { recursive: true, force: true });
  await rename(logs, `${logs}.last`).catch((fault: NodeJS.ErrnoException) => {
    if (fault.code !== 'ENOENT') throw fault;
  });
}
