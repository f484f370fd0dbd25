import type { Database } from '../../activities/stores/postgres/database.ts';
import { recordEvent, tellOfEvents } from '../../activities/stores/postgres/inbox/record-event.ts';
import { eventId, handlingId } from '../../workflows/operation/key.ts';
import { EventFault } from './event-fault.ts';
import type { EventHandlers } from './event-handlers.ts';
import type { EventSource, EventSources } from './event-sources.ts';
import type { Delivery, Said } from './schemes/scheme.ts';

type InboxParts = {
  readonly database: Database;
  readonly sources: EventSources;
  readonly handlers: EventHandlers;
};

type Taken = {
  readonly id: string;
  /** false: it has come before, and nothing has changed. */
  readonly fresh: boolean;
};

const soundId = /^[\x20-\x7e]{1,255}$/;
const soundName = /^[\x21-\x7e]{1,200}$/;

/** Takes in what others tell us: recorded first, and handled from its row. */
export class Inbox {
  readonly #parts: InboxParts;
  /** An event was recorded after the newest notice had been sent. */
  #untold = false;
  #telling = false;

  constructor(parts: InboxParts) {
    this.#parts = parts;
  }

  knows(name: string): boolean {
    return this.#parts.sources.find(name) !== undefined;
  }

  /**
   * Once for all events that were recorded in the meantime. A notice is a transaction of its own, so that one for each
   * event would double the commits: while one is under way, the next waits.
   */
  #tell(): void {
    this.#untold = true;
    if (this.#telling) return;
    this.#telling = true;
    setImmediate(() => void this.#tellAll());
  }

  async #tellAll(): Promise<void> {
    while (this.#untold) {
      this.#untold = false;
      // Whoever handles events looks by itself, too.
      await tellOfEvents(this.#parts.database).catch(() => undefined);
    }
    this.#telling = false;
  }

  /**
   * Records one delivery of an event. It is durable when this returns.
   * @throws EventFault where nothing was recorded, and a repetition will not mend it
   * @throws LedgerFault `unavailable`: the sender has to deliver it again
   */
  async take(name: string, delivery: Delivery, requestId: string): Promise<Taken> {
    const source = this.#parts.sources.find(name);
    if (source === undefined)
      throw new EventFault('not-found', 'No such source sends events here: declare it in HAPAX_WEBHOOKS.');
    const said = await source.read(delivery);
    const { id: event, type, object } = sound(said, source);
    const id = eventId({ tenant: source.tenant, environment: source.environment, source: name }, event);
    const handlers = this.#parts.handlers.hearing(source.kind, type);
    const fresh = await recordEvent(this.#parts.database, {
      id,
      tenant: source.tenant,
      environment: source.environment,
      source: name,
      event,
      type,
      object,
      body: said.kept ?? delivery.body,
      sentAt: soundTime(said.sentAt),
      requestId,
      keep: source.keep,
      handlings: handlers.map((handler) => ({ id: handlingId(id, handler.name), handler: handler.name })),
    });
    if (fresh && handlers.length > 0) this.#tell();
    return { id, fresh };
  }
}

/** @throws EventFault where the event cannot be named, or is of the other environment */
function sound({ id, type, object, live }: Said, { environment }: EventSource) {
  if (typeof id !== 'string' || !soundId.test(id))
    throw new EventFault('request-invalid', 'The event has no id of 1 to 255 printable ASCII characters.');
  if (typeof type !== 'string' || !soundName.test(type))
    throw new EventFault('request-invalid', 'The event has no type of 1 to 200 printable ASCII characters.');
  if (live !== undefined && live !== (environment === 'live'))
    throw new EventFault(
      'environment-mismatch',
      `The event is of the ${live ? 'live' : 'test'} environment, and this source of the ${environment} one: nothing was recorded.`,
    );
  return { id, type, object: typeof object === 'string' && soundName.test(object) ? object : null };
}

/** Only PostgreSQL's years, and only for people to look at. */
function soundTime(at: Date | undefined): Date | null {
  if (at === undefined || Number.isNaN(at.getTime())) return null;
  const year = at.getUTCFullYear();
  return year >= 1970 && year < 3000 ? at : null;
}
