import type { Guard } from '../engine/guard.ts';
import { SystemGuard } from '../engine/system-guard.ts';
import type { GuardsWatch } from '../engine/system-guards.ts';
import { type ChosenProtection, usualProtection } from '../outside/protection.ts';
import type { Channel } from '../stores/postgres/outbox/due-deliveries.ts';

/**
 * Stands before the system that takes the messages of a channel. `HAPAX_PROTECTION` chooses its numbers under the channel's name.
 * @param called the system as sentences call it, such as `the mail server`
 */
export function deliveryGuard(channel: Channel, called: string, watch: GuardsWatch, chosen: ChosenProtection): Guard {
  const own = {
    sent: (kind) => watch.sent(channel, kind),
    turnedAway: (by) => watch.turnedAway(channel, by),
    opened: (isOpen) => watch.opened(channel, isOpen),
  } satisfies ConstructorParameters<typeof SystemGuard>[2];
  return new SystemGuard(called, { ...usualProtection, ...chosen[channel] }, own).guard;
}
