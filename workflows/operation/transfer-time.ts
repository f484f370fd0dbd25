import { seconds } from './duration.ts';

/**
 * The slowest average rate that a body may come at and is never cut for it: half a megabit a second, which an old
 * telephone line for data sends upwards. Five gibibytes take 22.8 hours at it, just less than the day that an upload waits
 * for its bytes. Whatever has to wait for the slowest transfer derives from this number. Bytes a second.
 */
export const slowestTransfer = 64 * 1024;

/** @returns how long so many bytes take at the slowest rate, in milliseconds */
export function transferTime(bytes: number): number {
  return Math.ceil(seconds(bytes / slowestTransfer));
}
