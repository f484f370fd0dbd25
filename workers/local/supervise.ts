import { setTimeout as pause } from 'node:timers/promises';
import type { Say } from './say.ts';

/** A part of the stack that is ready. */
export type Running = { pid: number; ended: Promise<unknown>; stop(patience?: number): Promise<void> };

/**
 * The pause before a restart. It doubles with each restart in a row, so that a lasting fault does not keep the machine
 * busy. Milliseconds.
 */
const firstPause = 500;
/**
 * People kill parts of this stack on purpose, to watch it recover. Two seconds still spare the machine, and keep that
 * wait short. Milliseconds.
 */
const longestPause = 2_000;
/** A part that ran this long had started well, so the pauses start over. Milliseconds. */
const steadyAfter = 60_000;

/**
 * Keeps one part of the stack running. When it ends by itself, starts it again, each time after a longer pause, and
 * says so.
 * @throws when the very first start fails
 */
export async function supervise<Part extends Running>(options: {
  name: string;
  start: () => Promise<Part>;
  logFile: string;
  say: Say;
  /** Called for each process that was started. */
  onStart?: (pid: number) => void;
  firstPause?: number;
}): Promise<{ first: Part; stop(patience?: number): Promise<void> }> {
  let stopping = false;
  let current: Running | undefined;
  const stopped = new AbortController();
  const launch = async () => {
    const part = await options.start();
    current = part;
    options.onStart?.(part.pid);
    if (stopping) await part.stop();
    return part;
  };

  const keepRunning = async (part: Running) => {
    let wait = options.firstPause ?? firstPause;
    let running: Running | undefined = part;
    while (!stopping) {
      const since = Date.now();
      await running?.ended;
      if (stopping) return;
      if (running && Date.now() - since > steadyAfter) wait = options.firstPause ?? firstPause;
      options.say(`${options.name} ended by itself (see ${options.logFile}); starting it again in ${wait / 1000} s`);
      await pause(wait, undefined, { signal: stopped.signal }).catch(() => {});
      if (stopping) return;
      wait = Math.min(wait * 2, longestPause);
      running = await launch().catch((fault: Error) => {
        options.say(fault.message);
        return undefined;
      });
      if (running && !stopping) options.say(`${options.name} runs again (process ${running.pid})`);
    }
  };

  const first = await launch();
  const keeping = keepRunning(first);
  return {
    first,
    async stop(patience) {
      stopping = true;
      stopped.abort();
      await current?.stop(patience);
      await keeping;
    },
  };
}
