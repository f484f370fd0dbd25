import { type ChildProcess, spawn } from 'node:child_process';

export type Ran = { readonly code: number | null; readonly out: string; readonly told: string };

/** Runs `hapax` as people run it. */
export async function hapax(
  env: Readonly<Record<string, string | undefined>>,
  ...args: readonly string[]
): Promise<Ran> {
  return await startHapax(env, ...args).ran;
}

/** The process too, for a test that kills it. */
export function startHapax(
  env: Readonly<Record<string, string | undefined>>,
  ...args: readonly string[]
): { readonly child: ChildProcess; readonly ran: Promise<Ran> } {
  const child = spawn(process.execPath, ['workers/hapax.ts', ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, told] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  const ran = new Promise<Ran>((resolve) => child.once('close', (code) => resolve({ code, out, told })));
  return { child, ran };
}
