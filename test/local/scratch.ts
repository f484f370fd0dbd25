import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** A directory of the test's own, gone after it. */
export async function scratch(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'hapax-local-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Looks 20 times a second, for at most `patience` milliseconds. */
export async function becomes(true_: () => boolean | Promise<boolean>, patience: number): Promise<boolean> {
  const deadline = Date.now() + patience;
  while (Date.now() < deadline) {
    if (await true_()) return true;
    await pause(50);
  }
  return false;
}
