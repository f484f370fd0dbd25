import { spawn } from 'node:child_process';
import type { World } from './world.ts';

type Ran = { readonly code: number | null; readonly out: string; readonly told: string };

/** Runs `npm run keys` as people run it, on the database of a world. */
export async function keysCommand(world: World, ...args: readonly string[]): Promise<Ran> {
  return await keysOf(world.databaseUrl, ...args);
}

export async function keysOf(databaseUrl: string, ...args: readonly string[]): Promise<Ran> {
  const env = { PATH: process.env.PATH, DATABASE_URL: databaseUrl };
  const child = spawn(process.execPath, ['workers/keys.ts', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, told] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, told };
}

/** @returns a new key, as it is shown once */
export async function newKey(
  world: World,
  tenant: string,
  subject: string,
  ...more: readonly string[]
): Promise<string> {
  const who = ['--tenant', tenant, '--environment', 'test', '--subject', subject];
  const made = await keysCommand(world, 'create', ...who, ...more);
  if (made.code !== 0) throw new Error(made.told);
  return made.out.trim();
}
