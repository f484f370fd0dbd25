import { setTimeout as pause } from 'node:timers/promises';

/** Whether something comes true: looks 20 times a second, for at most `patience` milliseconds. */
export async function becomes(holds: () => boolean | Promise<boolean>, patience: number): Promise<boolean> {
  const deadline = Date.now() + patience;
  while (Date.now() < deadline) {
    if (await holds()) return true;
    await pause(50);
  }
  return false;
}
