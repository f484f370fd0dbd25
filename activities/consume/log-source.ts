import { setTimeout as pause } from 'node:timers/promises';
import { milliseconds, seconds } from '../../workflows/operation/duration.ts';
import { eventEnvelope } from '../delivery/event-envelope.ts';
import { eventSubject } from '../relay/event-subject.ts';
import type { Delivery, MessageSource } from '../stores/message-source.ts';
import {
  beginLog,
  behindLog,
  leaveLogShard,
  type LoggedEvent,
  type LogShard,
  readLog,
  takeLogShard,
} from '../stores/postgres/consumer/event-log.ts';
import type { Database } from '../stores/postgres/database.ts';
import { matchesSubject } from './matches-subject.ts';

/** Longer than a batch of slow effects takes. What a dead process had is read by another one after this. */
const lease = seconds(30);
/** How soon the log is looked at again where it has nothing new. */
const interval = milliseconds(250);

type Parts = {
  /** Acts as upkeep, which sees the events of all tenants. */
  readonly database: Database;
  readonly consumer: string;
  readonly subjects: readonly string[];
};

/**
 * The product's own events where there is no broker: read from the log that the relay writes, as the broker would deliver them. A
 * shard is read by one process at a time, and read on from its position when all that was read of it is consumed.
 */
export class LogSource implements MessageSource {
  readonly called = 'the event log';
  readonly #parts: Parts;
  #begun = false;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The position moves on when events are consumed, and never back: only what a process leaves behind is read twice. */
  async redeliversFor(): Promise<number> {
    return lease;
  }

  async take(atMost: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const { database, consumer, subjects } = this.#parts;
    if (!this.#begun) await beginLog(database, consumer);
    this.#begun = true;
    const shard = await takeLogShard(database, consumer, lease);
    if (shard === undefined) {
      await pause(interval, undefined, { signal }).catch(() => undefined);
      return [];
    }
    const events = await readLog(database, shard, atMost);
    // What was to be read was deleted by hand: its shard is free when the lease ends.
    if (events.length === 0) return [];
    const deliveries = this.#deliveries(shard, events);
    const heard = deliveries.filter(({ subject }) => subjects.some((pattern) => matchesSubject(pattern, subject)));
    // What this consumer does not listen to is passed over.
    for (const other of deliveries) if (!heard.includes(other)) other.ack();
    return heard;
  }

  async lag(): Promise<number> {
    return await behindLog(this.#parts.database, this.#parts.consumer);
  }

  async close(): Promise<void> {}

  /** When the last of them is acknowledged the position moves behind them; when one comes back, it stays. */
  #deliveries(shard: LogShard, events: readonly LoggedEvent[]): readonly Delivery[] {
    let open = events.length;
    const leave = (position: bigint, rest: number): void => {
      open = 0;
      // A shard that could not be given back is free when its lease ends.
      void leaveLogShard(this.#parts.database, this.#parts.consumer, shard, position, rest).catch(() => undefined);
    };
    const last = events.at(-1)?.position ?? shard.position;
    return events.map((event) => ({
      place: `log:${shard.number}:${event.position}`,
      subject: eventSubject(event),
      body: new TextEncoder().encode(JSON.stringify(eventEnvelope(event))),
      ack: () => {
        open -= 1;
        if (open === 0) leave(last, 0);
      },
      back: (rest: number) => {
        if (open > 0) leave(shard.position, rest);
      },
    }));
  }
}
