import { hapax, type Ran } from './hapax-command.ts';
import type { World } from './world.ts';

/** Runs `npm run keys` as people run it, on the database of a world. */
export async function keysCommand(world: World, ...args: readonly string[]): Promise<Ran> {
  return await keysOf(world.databaseUrl, ...args);
}

export async function keysOf(databaseUrl: string, ...args: readonly string[]): Promise<Ran> {
  return await hapax({ DATABASE_URL: databaseUrl }, 'keys', ...args);
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
