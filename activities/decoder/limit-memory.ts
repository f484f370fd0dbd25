import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';

/** `RLIMIT_DATA` of Linux (getrlimit(2)): all private memory that a process may write into. */
const dataLimit = 2;

/**
 * From now on this process may write into so many bytes more, and when the machine's memory runs out, it is the first that
 * the kernel kills. It does nothing where the system knows no such limit, as outside Linux.
 */
export function limitMemory(bytes: number): void {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    const held = Number(/^VmData:\s+(\d+) kB/m.exec(status)?.[1]) * 1_024;
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    const setrlimit = koffi.load(null).func('int setrlimit(int resource, const void *limit)');
    setrlimit(dataLimit, new BigUint64Array(2).fill(BigInt(held + bytes)));
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // The limits of pixels, bytes and time hold alone.
  }
}
