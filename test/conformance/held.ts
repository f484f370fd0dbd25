import { operationId } from '../../workflows/operation/key.ts';
import type { World } from '../support/world.ts';

/** The id that a key of alpha's default subject gives a checkout. */
export function checkoutId(world: World, key: string, generation = 1): string {
  const scope = { tenant: world.tenants.alpha, environment: 'test', subject: 'default', flow: 'checkout', key } as const;
  return operationId(scope, generation);
}

/** Lets the provider keep a checkout waiting before it confirms, so that it is in flight for as long as a test wants. */
export async function holdConfirm(world: World, key: string, times = 1): Promise<string> {
  const operation = checkoutId(world, key);
  await world.faults([{ match: { path: 'confirm$', operation }, times, fault: 'hold_before' }]);
  return operation;
}

/** Waits until the provider holds that many requests. */
export async function untilHeld(world: World, count = 1): Promise<void> {
  await world.until('the provider holds the confirm', async () => {
    const { held } = (await world.sandboxControl('GET', 'faults')) as { held: unknown[] };
    return held.length >= count;
  });
}

export async function release(world: World): Promise<void> {
  await world.sandboxControl('POST', 'release', { all: true });
}
