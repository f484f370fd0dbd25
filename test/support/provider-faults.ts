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
  const held = await world.until(`the provider holds a request of ${operation}`, async () => {
    const { held } = (await world.sandboxControl('GET', 'faults')) as { held: Held[] };
    return held.find((one) => one.operation === operation || one.key?.startsWith(operation));
  });
  return () => world.sandboxControl('POST', 'release', { id: held.id });
}
