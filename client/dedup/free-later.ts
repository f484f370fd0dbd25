import { setTimeout as pause } from 'node:timers/promises';
import { seconds } from '../../workflows/operation/duration.ts';
import type { Hold } from './layer.ts';

/** Before each try to free an id that nobody runs for: its place may be about to start anew. Milliseconds. */
const pauses = [0, seconds(1), seconds(2), seconds(4), seconds(8), seconds(16)];

/**
 * Nothing runs for a hold whose question got no answer, but its marker may stand all the same. With `never-again` it
 * would keep everybody from running for the whole window. So it is freed for half a minute, beside the caller's error.
 * @param free removes the marker of this hold, and nobody else's
 */
export async function orFreeLater<T>(
  asked: Promise<T>,
  id: string,
  hold: Hold,
  free: (id: string, hold: Hold) => Promise<unknown>,
): Promise<T> {
  try {
    return await asked;
  } catch (error) {
    void freeLater(() => free(id, hold));
    throw error;
  }
}

async function freeLater(free: () => Promise<unknown>): Promise<void> {
  for (const wait of pauses) {
    await pause(wait, undefined, { ref: false });
    try {
      await free();
      return;
    } catch {
      // It is still away.
    }
  }
}
