import { spawn } from 'node:child_process';

/** The process groups of the commands that run now. A compiler's own children are in its group. */
const groups = new Set<number>();
process.once('exit', () => groups.forEach(end));

/**
 * Runs a command to its end and returns what it printed. The command never outlives us: a start that is refused while
 * a compiler runs must not leave it behind.
 * @throws with the last line of the command's own output, when it fails or takes longer than `patience` milliseconds
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { patience: number; identity?: { uid: number; gid: number } | undefined; directory?: string },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a group of its own, which can be ended whole
      ...(options.directory && { cwd: options.directory }),
      ...options.identity,
    });
    const group = child.pid;
    if (group) groups.add(group);
    const tooLong = setTimeout(() => group && end(group), options.patience);
    let output = '';
    let faults = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (faults += chunk));
    child.once('error', (fault: NodeJS.ErrnoException) => {
      clearTimeout(tooLong);
      reject(new Error(fault.code === 'ENOENT' ? `${command} is not installed` : fault.message));
    });
    child.once('exit', () => {
      clearTimeout(tooLong);
      if (group) groups.delete(group);
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else if (signal === 'SIGKILL') reject(new Error(`${command} did not end in ${options.patience / 1000} s`));
      else reject(new Error(lastLine(faults || output) || `${command} ended with ${code ?? signal}`));
    });
  });
}

function end(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'ESRCH') throw fault; // it has just ended by itself
  }
}

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1)?.trim();
