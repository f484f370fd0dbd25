import { spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Keeper } from './keeper.ts';

type ChildEnd = { code: number | null; signal: NodeJS.Signals | null };

export type Child = {
  pid: number;
  /** Settles when the process has ended, however it ended. */
  ended: Promise<ChildEnd>;
  isRunning(): boolean;
  /** The last lines that it has written since its start, for an error message. */
  lastLines(count?: number): string;
  /** Sends the child's own stop signal, and SIGKILL after `patience` milliseconds. */
  stop(patience?: number): Promise<void>;
};

/**
 * How long a clean stop may take: the whole stack must be down in 10 s, in three steps one after the other.
 * Milliseconds.
 */
const stopPatience = 3_000;

/**
 * Starts a program in a process group of its own, so that a Ctrl-C at the terminal reaches only us and we choose the
 * order in which things stop. Its output goes straight to a file, not a pipe, so the program never blocks on a busy
 * parent and never dies of a dead one.
 * @throws with what to do, when the program cannot be run at all
 */
export async function startChild(options: {
  command: string;
  args: readonly string[];
  logFile: string;
  keeper?: Keeper | undefined;
  environment?: Record<string, string | undefined>;
  identity?: { uid: number; gid: number };
  stopSignal?: NodeJS.Signals;
}): Promise<Child> {
  if (options.keeper?.closed) throw new Error(`${options.command} is not started: everything is being stopped`);
  mkdirSync(dirname(options.logFile), { recursive: true });
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const log = openSync(options.logFile, 'a');
  const logStart = fstatSync(log).size;
  const child = spawn(options.command, options.args, {
    detached: true,
    stdio: ['ignore', log, log],
    ...(options.environment && { env: options.environment }),
    ...options.identity,
  });
  closeSync(log);
  // Called before anything is awaited: between spawn and watch we must not die, and the keeper must not be closed.
  if (child.pid) options.keeper?.watch(child.pid, stopSignal);
  let end: ChildEnd | undefined;
  const ended = new Promise<ChildEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve((end = { code, signal })));
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (fault) => reject(new Error(`Cannot run ${options.command}: ${fault.message}`)));
  });
  const pid = child.pid as number;
  void ended.then(() => options.keeper?.forget(pid));

  return {
    pid,
    ended,
    isRunning: () => end === undefined,
    lastLines: (count = 15) =>
      readFileSync(options.logFile).subarray(logStart).toString().trimEnd().split('\n').slice(-count).join('\n'),
    async stop(patience = stopPatience) {
      if (end) return;
      child.kill(stopSignal);
      const insist = setTimeout(() => signalGroup(pid, 'SIGKILL'), patience);
      await ended;
      clearTimeout(insist);
    },
  };
}

/** Signals a whole process group. A group that is already gone is what we wanted. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'ESRCH') throw fault;
  }
}
