import { setTimeout as pause } from 'node:timers/promises';
import type { Child } from './child.ts';

/**
 * Waits until `probe` succeeds, but no longer than its process lives.
 * @throws with the last lines of the process's log, when it ended or was not ready within `patience` milliseconds
 */
export async function untilReady(options: {
  what: string;
  child: Child;
  probe: () => Promise<unknown>;
  /** Milliseconds. One minute covers a crash recovery on a slow disk. */
  patience?: number;
  /** What a person can do about it. */
  advice: string;
}): Promise<void> {
  const deadline = Date.now() + (options.patience ?? 60_000);
  let lastFault: unknown;
  while (options.child.isRunning() && Date.now() < deadline) {
    try {
      await options.probe();
      return;
    } catch (fault) {
      lastFault = fault;
    }
    await pause(40); // short beside a start of 1 s, long beside a refused connection (under 1 ms)
  }
  const story = options.child.isRunning()
    ? `${options.what} does not answer (${(lastFault as Error)?.message})`
    : `${options.what} ended while it started`;
  await options.child.stop();
  throw new Error(`${story}. ${options.advice} Its last lines:\n${indent(options.child.lastLines())}`);
}

const indent = (text: string) => text.replace(/^/gm, '  ');
