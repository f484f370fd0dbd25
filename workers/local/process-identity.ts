import { readFile } from 'node:fs/promises';
import { platform } from 'node:os';
import { runCommand } from './run-command.ts';

const patience = 2_000; // ps answers in milliseconds

/**
 * When a process started, as the system reports it: equal for the same process, and different when the kernel has given
 * an old process id to a new process. Undefined when no such process runs.
 */
export async function startTime(pid: number): Promise<string | undefined> {
  if (platform() !== 'linux') return ps(pid, 'lstart=');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // proc(5): the second field is the program's name in brackets, which may itself contain spaces and brackets.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startedAt] = [fields?.[0], fields?.[19]];
  return state === 'Z' ? undefined : startedAt; // a zombie has ended; its parent has not looked yet
}

/** The command line of a process; undefined when no such process runs. */
export async function commandLine(pid: number): Promise<string | undefined> {
  if (platform() !== 'linux') return ps(pid, 'command=');
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return line.replaceAll('\0', ' ').trim() || undefined;
}

async function ps(pid: number, field: string): Promise<string | undefined> {
  const answer = await runCommand('ps', ['-o', field, '-p', String(pid)], { patience }).catch(() => '');
  return answer.trim() || undefined;
}
