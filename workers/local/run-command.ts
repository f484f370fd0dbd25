import { spawn } from 'node:child_process';

/**
 * Runs a short command to its end and returns what it printed.
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
      timeout: options.patience,
      killSignal: 'SIGKILL',
      ...(options.directory && { cwd: options.directory }),
      ...options.identity,
    });
    let output = '';
    let faults = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (faults += chunk));
    child.once('error', (fault: NodeJS.ErrnoException) =>
      reject(new Error(fault.code === 'ENOENT' ? `${command} is not installed` : fault.message)),
    );
    child.once('close', (code, signal) => {
      if (code === 0) resolve(output);
      else if (signal === 'SIGKILL') reject(new Error(`${command} did not end in ${options.patience / 1000} s`));
      else reject(new Error(lastLine(faults || output) || `${command} ended with ${code ?? signal}`));
    });
  });
}

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1)?.trim();
