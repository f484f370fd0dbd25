import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts processor time in ticks of 10 ms (USER_HZ, fixed by its interface to programs). */
const tick = 10;

type Stat = { readonly pid: number; readonly parent: number; readonly own: number; readonly reaped: number };

/**
 * Processor time of a process and its descendants since their start, those included that have ended and were waited
 * for, such as a PostgreSQL backend whose client has left. Milliseconds, in steps of 10.
 */
export function processorTime(root: number): number {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => stat(Number(name)) ?? []);
  const family = new Set([root]);
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid);
  }
  let ticks = 0;
  for (const { pid, own, reaped } of all) if (family.has(pid)) ticks += own + reaped;
  return ticks * tick;
}

/** proc(5): fields 4 (ppid), 14–17 (utime, stime, cutime, cstime). The name in field 2 may hold spaces and brackets. */
function stat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const field = (number: number): number => fields[number - 3] ?? 0;
    return { pid, parent: field(4), own: field(14) + field(15), reaped: field(16) + field(17) };
  } catch {
    return undefined; // it has ended between the listing and the reading
  }
}
