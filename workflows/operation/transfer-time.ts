import { seconds } from './duration.ts';

/**
 * The slowest average rate at which a body is never cut: half a megabit a second, the upload rate of an old DSL line.
 * Five gibibytes take 22.8 hours at it, just less than the day that an upload waits for its bytes. Every limit that
 * has to outlast the slowest transfer derives from this number. Bytes a second.
 */
export const slowestTransfer = 64 * 1024;

/** @returns how long so many bytes take at the slowest rate, in milliseconds */
export function transferTime(bytes: number): number {
  return Math.ceil(seconds(bytes / slowestTransfer));
}
