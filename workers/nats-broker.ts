import { setTimeout as pause } from 'node:timers/promises';
import type { EventBroker } from '../activities/relay/by-broker.ts';
import { connectNats } from '../activities/stores/nats/connect-nats.ts';
import { EventStream, StreamUnfit } from '../activities/stores/nats/event-stream.ts';
import { minutes, seconds } from '../workflows/operation/duration.ts';
import { whilePublishing } from '../workflows/operation/retry-schedule.ts';
import { lease } from './relay-loop.ts';

/** An acknowledgement comes in milliseconds. A broker that elects a leader needs some seconds for it. */
const answersWithin = seconds(5);
/**
 * The longest time from a try to publish an event to the last one that repeats it, unless the broker or all relays are away: a try is
 * waited for, then the broker is left alone, and a relay that dies meanwhile leaves its shards for a lease.
 */
export const horizon = answersWithin + whilePublishing.longestPause + lease;
/** For how long a stream that we make knows an id: more than ten horizons. At 3,000 events a second that is 1.8 million ids. */
const ownWindow = minutes(10);

/** NATS with JetStream, as the relay sees it. It may be away, now and at the start. */
export class NatsBroker implements EventBroker {
  readonly called = 'NATS';
  readonly #url: string;
  readonly #credentials: string | undefined;
  #opening: Promise<EventStream> | undefined;
  #stream: EventStream | undefined;

  constructor(url: string, credentials: string | undefined) {
    this.#url = url;
    this.#credentials = credentials;
  }

  /** @throws StreamUnfit, with both numbers, where the stream forgets an id before its last repetition */
  async prove(): Promise<number> {
    this.#stream = await this.#opened();
    const window = await this.#stream.ensure();
    if (window >= horizon) return window;
    throw new StreamUnfit(
      `The stream HAPAX_EVENTS knows an id for ${window / 1_000} s (duplicate_window), and a relay may repeat it after ${horizon / 1_000} s: ` +
        `an event could be stored twice. Set duplicate_window to ${horizon / 1_000} s or more.`,
    );
  }

  async #opened(): Promise<EventStream> {
    this.#opening ??= connectNats(this.#url, {
      name: 'hapax relay',
      credentials: this.#credentials,
      persists: true,
    }).then((connection) => new EventStream(connection, { window: ownWindow, answersWithin }));
    const late = new AbortController();
    const given = this.#opening;
    try {
      return await Promise.race([
        given,
        pause(answersWithin, undefined, { signal: late.signal }).then(() => {
          throw new Error('Nobody answers at NATS_URL');
        }),
      ]);
    } catch (error) {
      // One that was refused is asked for anew; one that is still being waited for stays.
      void given.catch(() => {
        if (this.#opening === given) this.#opening = undefined;
      });
      throw error;
    } finally {
      late.abort();
    }
  }

  async publish(...[subject, id, body]: Parameters<EventBroker['publish']>): ReturnType<EventBroker['publish']> {
    return (
      (await this.#stream?.publish(subject, id, body)) ?? { state: 'unanswered', detail: 'Nobody answers at NATS_URL' }
    );
  }

  async newestOf(subject: string): Promise<string | undefined> {
    if (this.#stream === undefined) throw new Error('Nobody answers at NATS_URL');
    return await this.#stream.newestOf(subject);
  }

  async close(): Promise<void> {
    await this.#stream?.close();
  }
}
