import type { Delivered, Delivery } from '../stores/message-source.ts';
import { inTenant } from '../stores/postgres/consumer/message-key.ts';
import { holdMessage } from '../stores/postgres/consumer/hold-message.ts';
import type { Database } from '../stores/postgres/database.ts';
import { consumeInParts } from './consume-in-parts.ts';
import { inBatchOrder } from './consume-together.ts';
import type { Consumer } from './define-consumer.ts';
import { keptAfter } from './failed-effect.ts';
import { heldOf } from './held-of.ts';
import type { Became } from './in-order.ts';
import { type Judged, judgeMessage, type SoundMessage } from './judge-message.ts';

/** What has become of one delivery. Each of them may be acknowledged. */
export type Ended = {
  readonly delivered: Delivered;
  readonly became: Became | 'failed' | 'dead' | 'ignored' | 'nobodys';
  /** Where it is kept: the id of its dead letter, and why it was not done. */
  readonly kept?: { readonly id: string; readonly code: string; readonly detail: string };
};

/**
 * Consumes what was delivered. When it returns, each message is done, or PostgreSQL keeps it.
 * @throws BatchFailed or LedgerFault where PostgreSQL is away: all of it has to be delivered again
 */
export async function consumeBatch(
  database: Database,
  consumer: Consumer,
  deliveries: readonly Delivery[],
  random: () => number = Math.random,
): Promise<readonly Ended[]> {
  const judged = deliveries.map((delivered) => judgeMessage(consumer, delivered));
  const ended: Ended[] = [];
  const sound = new Map<string, SoundMessage>();
  for (const [n, one] of judged.entries()) {
    const delivered = deliveries[n] as Delivery;
    if (one.kind === 'ignored' || one.kind === 'nobodys') ended.push({ delivered, became: one.kind });
    else if (one.kind === 'unusable') ended.push(await bury(database, consumer, one));
    else if (sound.has(nameOf(one))) ended.push({ delivered, became: 'repeated' });
    else sound.set(nameOf(one), one);
  }
  for (const one of await consumeInParts(database, consumer, inBatchOrder(consumer, [...sound.values()]))) {
    const { message, became } = one;
    const { delivered } = message;
    if (became === 'failed') ended.push(await keep(database, consumer, message, one.error, random()));
    else ended.push({ delivered, became });
  }
  return ended;
}

function nameOf({ key }: SoundMessage): string {
  return `${key.tenant} ${inTenant(key)}`;
}

async function bury(
  database: Database,
  consumer: Consumer,
  unusable: Extract<Judged, { readonly kind: 'unusable' }>,
): Promise<Ended> {
  const held = heldOf(consumer, unusable);
  await database.flush(held.key.tenant, holdMessage(consumer, held, { state: 'dead', why: unusable.why }));
  return { delivered: unusable.delivered, became: 'dead', kept: { id: held.id, ...unusable.why } };
}

async function keep(
  database: Database,
  consumer: Consumer,
  message: SoundMessage,
  error: unknown,
  random: number,
): Promise<Ended> {
  const held = heldOf(consumer, message);
  const kept = keptAfter(error, 1, random);
  await database.flush(held.key.tenant, holdMessage(consumer, held, kept));
  const why = kept.state === 'waiting' ? { code: '', detail: '' } : kept.why;
  return {
    delivered: message.delivered,
    became: kept.state === 'dead' ? 'dead' : 'failed',
    kept: { id: held.id, ...why },
  };
}
