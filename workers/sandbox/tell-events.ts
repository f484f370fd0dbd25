import type { Sandbox } from './call.ts';

/**
 * Waits until everything so far is on the disk, and has it told. What a crash could undo is told to nobody. Events that
 * are to come early have been sent when this resolves.
 */
export async function tellEvents({ provider, webhooks }: Sandbox): Promise<void> {
  const until = provider.ledger.events.length;
  await provider.durable();
  await webhooks.tell(provider.ledger.events, until);
}
