import type { World } from './world.ts';

/** Where the provider's requests of a checkout are met. */
export const calls = {
  openPayment: '/v1/payment_intents$',
  authorise: '[^/]+/confirm$',
  capture: '[^/]+/capture$',
  undo: '[^/]+/cancel$',
} as const;

export type Rule = { readonly fault: string; readonly times?: number } & Readonly<Record<string, unknown>>;

/** Plans a fault for one operation's calls. */
export async function plan(world: World, operation: string, call: keyof typeof calls, rule: Rule): Promise<void> {
  await world.faults([{ match: { operation, path: calls[call] }, ...rule }]);
}

type Held = { readonly id: string; readonly operation: string | null; readonly key: string | null };

/** Waits until the provider holds a request of the operation. @returns how to let it go */
export async function heldRequest(world: World, operation: string): Promise<() => Promise<unknown>> {
  const [held] = await world.until(`the provider holds a request of ${operation}`, async () => {
    const all = await heldOf(world, operation);
    return all.length > 0 && all;
  });
  return () => release(world, held as Held);
}

/** Lets go whatever the provider holds of the operation now; a try that comes later may be held again. */
export async function releaseAll(world: World, operation: string): Promise<void> {
  for (const held of await heldOf(world, operation)) await release(world, held);
}

async function heldOf(world: World, operation: string): Promise<Held[]> {
  const { held } = (await world.sandboxControl('GET', 'faults')) as { held: Held[] };
  return held.filter((one) => one.operation === operation || one.key?.startsWith(operation));
}

async function release(world: World, { id }: Held): Promise<void> {
  await world.sandboxControl('POST', 'release', { id });
}
