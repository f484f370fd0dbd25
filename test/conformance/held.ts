import { operationId } from '../../workflows/operation/key.ts';
import type { World } from '../support/world.ts';

/** The id that a key of alpha's default subject gives a checkout. */
export function checkoutId(world: World, key: string, generation = 1): string {
  const scope = {
    tenant: world.tenants.alpha,
    environment: 'test',
    subject: 'default',
    flow: 'checkout',
    key,
  } as const;
  return operationId(scope, generation);
}

/** More often than any test lets a confirm be sent. */
const always = 1_000;

/**
 * Lets the provider keep a checkout waiting before it confirms, so that it is in flight for as long as a test wants. The
 * client gives a call up after three seconds and sends it again: that one is held as well.
 */
export async function holdConfirm(world: World, key: string, times = always): Promise<string> {
  const operation = checkoutId(world, key);
  await world.faults([{ match: { path: 'confirm$', operation }, times, fault: 'hold_before' }]);
  return operation;
}

/** Waits until the provider holds the confirm of a key's checkout. */
export async function untilHeld(world: World, key: string): Promise<void> {
  const operation = checkoutId(world, key);
  await world.until('the provider holds the confirm', async () => {
    const { held } = (await world.sandboxControl('GET', 'faults')) as { held: { key: string | null }[] };
    return held.some((request) => request.key?.startsWith(operation));
  });
}

/** Lets everything go that is held, and holds nothing more. */
export async function release(world: World): Promise<void> {
  await world.sandboxControl('DELETE', 'faults');
  await world.sandboxControl('POST', 'release', { all: true });
}
