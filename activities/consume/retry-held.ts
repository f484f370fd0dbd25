import { ownQueries } from '../stores/postgres/callback/own-queries.ts';
import { type DueMessage, endHeld, keepHeld, lockHeld } from '../stores/postgres/consumer/held-messages.ts';
import type { Kept } from '../stores/postgres/consumer/hold-message.ts';
import { advancePositions, aggregateName, lockPositions, positionsOf } from '../stores/postgres/consumer/positions.ts';
import type { Database, Statement } from '../stores/postgres/database.ts';
import type { Consumer, ConsumedEvent } from './define-consumer.ts';
import { isAway, keptAfter } from './failed-effect.ts';
import { aggregateOf, tooFar } from './in-order.ts';
import { judgeMessage, largestMessage, type SoundMessage } from './judge-message.ts';
import { turnOf } from './turn-of.ts';

/** What has become of a kept message. `taken-over`: another process has it. */
export type Retried =
  | { readonly became: 'done' | 'stale' | 'taken-over' }
  | { readonly became: Kept['state']; readonly kept: Kept };

/**
 * Tries one kept message again, in a transaction of its own and under its own name. It is read as this build declares it.
 * @throws LedgerFault where PostgreSQL is away: its lease ends by itself
 */
export async function retryHeld(
  database: Database,
  consumer: Consumer,
  held: DueMessage,
  random: number,
): Promise<Retried> {
  const read = messageOf(consumer, held);
  if (read === 'erased') {
    await database.flush(held.key.tenant, endHeld(consumer, held, 'done'));
    return { became: 'done' };
  }
  if (!('event' in read)) return await keepOn(database, held, read, undefined);
  try {
    return await attempt(database, consumer, held, read);
  } catch (error) {
    if (isAway(error)) throw error;
    return await keepOn(database, held, keptAfter(error, held.tries, random), read.event);
  }
}

/** `erased`: nothing is left to act on, and nothing waits for it. */
function messageOf(consumer: Consumer, { body, subject, key }: DueMessage): SoundMessage | Kept | 'erased' {
  const dead = (code: string, detail: string): Kept => ({ state: 'dead', why: { code, detail } });
  if (body === null)
    return dead(
      'message-too-large',
      `It was larger than ${largestMessage} bytes and was not kept: look at ${key.message}.`,
    );
  const judged = judgeMessage(consumer, { place: key.message, subject, body });
  const notRead = dead('message-invalid', `${consumer.name} does not read its type any more.`);
  switch (judged.kind) {
    case 'sound':
      // Its name is that of its row, by which it was claimed.
      return { ...judged, key };
    case 'unusable':
      return { state: 'dead', why: judged.why };
    case 'ignored':
      return judged.erased ? 'erased' : notRead;
    case 'nobodys':
      return notRead;
  }
}

async function attempt(
  database: Database,
  consumer: Consumer,
  held: DueMessage,
  message: SoundMessage,
): Promise<Retried> {
  const { order } = consumer;
  const lock = order === 'any' ? [] : [lockPositions(consumer.name, [aggregateOf(message)])];
  return await database.transaction<Retried>(held.key.tenant, [...lock, lockHeld(held)], async (tx, opened) => {
    if (opened.at(-1)?.length !== 1) return { value: { became: 'taken-over' }, closing: [] };
    const run = async (): Promise<void> => {
      if (!message.passes) await ownQueries(tx, async (sql) => await consumer.effect(sql, message.event));
    };
    if (order === 'any') {
      await run();
      return { value: { became: 'done' }, closing: [endHeld(consumer, held, 'done')] };
    }
    const aggregate = aggregateOf(message);
    const sequence = message.event.sequence as number;
    const done = positionsOf(opened[0] ?? []).get(aggregateName(aggregate)) ?? 0;
    const goesOn = (reached: number): readonly Statement[] =>
      advancePositions(consumer.name, [{ ...aggregate, done: reached }]);
    switch (turnOf(order, done, sequence, held.overGap)) {
      case 'run':
        await run();
        return { value: { became: 'done' }, closing: [endHeld(consumer, held, 'done'), ...goesOn(sequence)] };
      case 'stale':
        return { value: { became: 'stale' }, closing: [endHeld(consumer, held, 'stale'), ...goesOn(done)] };
      case 'wait':
        return kept(held, { state: 'waiting', patience: order.gap === 'wait' ? order.patience : 0 }, message.event);
      case 'too-far':
        return kept(held, { state: 'dead', why: tooFar(sequence) }, message.event);
    }
  });
}

function kept(held: DueMessage, how: Kept, event: ConsumedEvent) {
  return { value: { became: how.state, kept: how }, closing: [keepHeld(held, how, event)] };
}

async function keepOn(
  database: Database,
  held: DueMessage,
  how: Kept,
  event: ConsumedEvent | undefined,
): Promise<Retried> {
  const read = event ?? { type: null, aggregate: null, sequence: null };
  await database.flush(held.key.tenant, keepHeld(held, how, read));
  return { became: how.state, kept: how };
}
