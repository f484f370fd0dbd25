import { setTimeout as pause } from 'node:timers/promises';
import type { Database } from '../activities/stores/postgres/database.ts';
import { endHandling, type Handling, takeHandlings } from '../activities/stores/postgres/inbox/due-handlings.ts';
import type { EventHandlers } from '../client/events/event-handlers.ts';
import { handleEvent } from '../client/events/handle-event.ts';
import type { Gateway } from '../client/gateway.ts';
import { milliseconds, seconds } from '../workflows/operation/duration.ts';
import type { Logger } from 'pino';

/** Handlings that are under way at once: each is a short transaction or a claim. */
const atOnce = 16;
/** Longer than the time limits of all that a handling does. A process that dies leaves what it took for this long. */
const lease = seconds(30);
/** How long a lost notice costs an event. */
const interval = milliseconds(500);

type EventLoopParts = {
  /** Acts as upkeep, which sees the events of all tenants. */
  readonly database: Database;
  readonly gateway: Gateway;
  readonly handlers: EventHandlers;
  readonly log: Logger;
};

/** Handles what others have told us, from rows: woken by news, and by the time. */
export class EventLoop {
  readonly #parts: EventLoopParts;
  readonly #underWay = new Set<Promise<void>>();
  #wake: (() => void) | undefined;
  #news = false;
  #stopping = false;
  #well = true;
  readonly #ended: Promise<void>;

  constructor(parts: EventLoopParts) {
    this.#parts = parts;
    this.#ended = this.#run();
  }

  /** There is something to do. */
  wake(): void {
    this.#news = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.wake();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { database, log } = this.#parts;
    while (!this.#stopping) {
      this.#news = false;
      try {
        const room = atOnce - this.#underWay.size;
        const due = room === 0 ? [] : await takeHandlings(database, room, lease);
        for (const handling of due) this.#begin(handling);
        this.#well = true;
        if (due.length === room) {
          // One that takes long keeps only its own place.
          if (this.#underWay.size === atOnce) await Promise.race(this.#underWay);
          continue;
        }
      } catch (err) {
        if (this.#well) log.warn({ err }, 'events could not be read; the next look tries again');
        this.#well = false;
      }
      await this.#rest();
    }
    await Promise.all(this.#underWay);
  }

  #begin(handling: Handling): void {
    const work = this.#handle(handling)
      .catch((err: unknown) =>
        this.#parts.log.warn({ err, handling: handling.id }, 'what became of an event was not written'),
      )
      .finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
  }

  async #handle(handling: Handling): Promise<void> {
    const { database, log } = this.#parts;
    const handled = await handleEvent(this.#parts, handling);
    const { id, handler, event, tries } = handling;
    const about = { handling: id, handler, source: event.source, event: event.id, tries };
    if (handled.state === 'dead')
      log.error(
        { ...about, code: handled.code },
        `an event could not be handled, and waits for a person: ${handled.detail}`,
      );
    else if (handled.state !== 'done')
      log.info({ ...about, code: handled.code }, `an event is tried again: ${handled.detail}`);
    // A row that was not written is taken again when its lease has ended.
    await endHandling(database, handling, handled);
  }

  async #rest(): Promise<void> {
    if (this.#news || this.#stopping) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await pause(interval, undefined, { signal: woken.signal }).catch(() => undefined);
    this.#wake = undefined;
  }
}
