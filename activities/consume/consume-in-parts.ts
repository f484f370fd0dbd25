import type { Database } from '../stores/postgres/database.ts';
import { BatchFailed, consumeTogether } from './consume-together.ts';
import type { Consumer } from './define-consumer.ts';
import { isAway } from './failed-effect.ts';
import type { Became } from './in-order.ts';
import type { SoundMessage } from './judge-message.ts';

/** What a message has come to. `failed`: its own transaction was rolled back, and it is nobody else's fault. */
type Consumed =
  | { readonly message: SoundMessage; readonly became: Became }
  | { readonly message: SoundMessage; readonly became: 'failed'; readonly error: unknown };

/**
 * Consumes a batch, and where it fails, its parts: what stands before the message whose effect failed, the message alone, and what
 * stands behind it; halves where nobody knows which it was. In the end a poisonous message is alone, and has cost only itself.
 * @param messages sorted as `inBatchOrder` does, none of them twice
 * @throws BatchFailed where PostgreSQL is away: what had been committed before is found again when it is delivered again
 */
export async function consumeInParts(
  database: Database,
  consumer: Consumer,
  messages: readonly SoundMessage[],
): Promise<readonly Consumed[]> {
  const [alone] = messages;
  if (alone === undefined) return [];
  try {
    const became = await consumeTogether(database, consumer, messages);
    return messages.map((message, n) => ({ message, became: became[n] as Became }));
  } catch (error) {
    if (!(error instanceof BatchFailed) || isAway(error.cause)) throw error;
    if (messages.length === 1) return [{ message: alone, became: 'failed', error: error.cause }];
    const consumed: Consumed[] = [];
    for (const part of partsOf(messages, error.at)) consumed.push(...(await consumeInParts(database, consumer, part)));
    return consumed;
  }
}

function partsOf<T>(items: readonly T[], at: number | undefined): readonly (readonly T[])[] {
  const middle = Math.ceil(items.length / 2);
  if (at === undefined) return [items.slice(0, middle), items.slice(middle)];
  return [items.slice(0, at), items.slice(at, at + 1), items.slice(at + 1)];
}
