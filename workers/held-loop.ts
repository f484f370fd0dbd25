import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Consumer } from '../activities/consume/define-consumer.ts';
import { type Retried, retryHeld } from '../activities/consume/retry-held.ts';
import { endWaits } from '../activities/stores/postgres/consumer/end-waits.ts';
import { type DueMessage, takeDueMessages } from '../activities/stores/postgres/consumer/held-messages.ts';
import type { Database } from '../activities/stores/postgres/database.ts';
import { milliseconds, seconds } from '../workflows/operation/duration.ts';

/** Messages that are tried at once, each in a transaction of its own. */
const atOnce = 8;
/** Longer than the time limits of a transaction. A process that dies leaves what it took for this long. */
const lease = seconds(15);
/** How soon a message is tried that is due. One that waited for another one need not wait for this, too. */
const interval = milliseconds(500);
/** Gaps that are told in one look. */
const mostGaps = 500;

type HeldLoopParts = {
  readonly consumers: readonly Consumer[];
  /** Acts as upkeep, which sees the messages of all tenants. */
  readonly upkeep: Database;
  /** Acts as the tenants whose messages they are. */
  readonly database: Database;
  readonly log: Logger;
  readonly count: (consumer: string, became: Retried['became'] | 'gap') => void;
};

/** Looks after the messages that PostgreSQL keeps: tries what is due, and tells what has waited for too long. */
export class HeldLoop {
  readonly #parts: HeldLoopParts;
  readonly #consumers: ReadonlyMap<string, Consumer>;
  readonly #stopped = new AbortController();
  readonly #ended: Promise<void>;
  /** Whether the last look went well. */
  well = true;

  constructor(parts: HeldLoopParts) {
    this.#parts = parts;
    this.#consumers = new Map(parts.consumers.map((consumer) => [consumer.name, consumer]));
    this.#ended = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const more = await this.#look().catch((err: unknown) => {
        if (this.well) this.#parts.log.warn({ err }, 'kept messages could not be read; the next look tries again');
        this.well = false;
        return false;
      });
      if (!more) await pause(interval, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @returns whether more may be due now: a message that is done may have been waited for */
  async #look(): Promise<boolean> {
    for (const consumer of this.#consumers.values()) await this.#endWaits(consumer);
    const due = await takeDueMessages(this.#parts.upkeep, [...this.#consumers.keys()], atOnce, lease);
    const retried = await Promise.all(due.map((message) => this.#retry(message)));
    this.well = true;
    return retried.includes('done') || retried.includes('stale');
  }

  async #endWaits({ name, order }: Consumer): Promise<void> {
    if (order === 'any' || order.gap !== 'wait') return;
    const goesOn = order.after === 'skip';
    for (const gap of await endWaits(this.#parts.upkeep, name, goesOn, mostGaps)) {
      this.#parts.count(name, 'gap');
      const told = goesOn ? 'it goes on without them' : 'it waits for a person, or for them';
      const about = { consumer: name, letter: gap.id, aggregate: gap.aggregate };
      this.#parts.log.error(
        about,
        `sequences ${gap.done + 1} to ${gap.sequence - 1} have not been done in time; ${told}`,
      );
    }
  }

  async #retry(due: DueMessage): Promise<Retried['became'] | 'left'> {
    const { database, log, count } = this.#parts;
    const consumer = this.#consumers.get(due.consumer);
    if (consumer === undefined) return 'left';
    try {
      const retried = await retryHeld(database, consumer, due, Math.random());
      count(consumer.name, retried.became);
      this.#tell(due, retried);
      return retried.became;
    } catch (err) {
      log.warn({ err, letter: due.id }, 'a kept message could not be tried; it is tried when its lease has ended');
      return 'left';
    }
  }

  #tell({ id, consumer, tries }: DueMessage, retried: Retried): void {
    if (!('kept' in retried) || retried.kept.state === 'waiting') return;
    const about = { consumer, letter: id, tries, code: retried.kept.why.code };
    if (retried.kept.state === 'dead')
      this.#parts.log.error(about, 'a message was not consumed, and waits for a person');
    else this.#parts.log.info(about, 'a message was not consumed, and is tried again');
  }
}
