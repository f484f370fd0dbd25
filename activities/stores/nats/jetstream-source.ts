import { setTimeout as pause } from 'node:timers/promises';
import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { milliseconds, seconds } from '../../../workflows/operation/duration.ts';
import { type Delivery, type MessageSource, StreamMissing } from '../message-source.ts';
import type { BrokerConnection } from './broker-connection.ts';

/** Longer than a batch of slow effects takes. What a dead process had is delivered to another one after this. */
const ackWait = seconds(30);
/** Messages that all processes of a consumer have at hand: a few batches for each, and not too many megabytes. */
const mostPending = 500;
/** Messages that one process asks for in advance. */
const askedFor = 200;
/** How long a look for messages waits, so that the loop notices what else happens. */
const longestLook = seconds(1);

type Parts = {
  readonly broker: BrokerConnection;
  readonly stream: string;
  readonly subjects: readonly string[];
  /** Under this name the broker remembers how far the consumer has come. */
  readonly durable: string;
  readonly ackWait?: number;
};

/** Messages of a JetStream stream, by a durable pull consumer with explicit acknowledgement. It is made where it is missing. */
export class JetStreamSource implements MessageSource {
  readonly called: string;
  readonly #parts: Parts;
  readonly #queue: JsMsg[] = [];
  /** Undefined where it has to be begun, or begun again. */
  #messages: Promise<ConsumerMessages> | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(parts: Parts) {
    this.#parts = parts;
    this.called = `stream ${parts.stream}`;
  }

  async redeliversFor(): Promise<number> {
    const manager = await jetstreamManager(await this.#parts.broker.use());
    const { config } = await manager.streams.info(this.#parts.stream).catch((error: unknown) => {
      if (!isCode(error, JetStreamApiCodes.StreamNotFound)) throw error;
      throw new StreamMissing(`The broker has no stream ${this.#parts.stream}: the relay makes it when it starts.`);
    });
    // Zero says that the stream keeps messages for ever.
    return config.max_age === 0 ? Number.POSITIVE_INFINITY : config.max_age / 1_000_000;
  }

  async take(atMost: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    await (this.#messages ??= this.#begin());
    if (this.#queue.length === 0) {
      await this.#parts.broker.use();
      await this.#arrival(signal);
    }
    return signal.aborted ? [] : this.#queue.splice(0, atMost).map((message) => this.#delivery(message));
  }

  async lag(): Promise<number> {
    const manager = await jetstreamManager(await this.#parts.broker.use());
    const { num_pending, num_ack_pending } = await manager.consumers.info(this.#parts.stream, this.#parts.durable);
    return num_pending + num_ack_pending;
  }

  /** Gives back at once what nobody has begun: another process need not wait for it. */
  async close(): Promise<void> {
    const messages = this.#messages;
    this.#messages = undefined;
    await messages?.then((begun) => begun.close()).catch(() => undefined);
    for (const message of this.#queue.splice(0)) answer(() => message.nak());
  }

  #begin(): Promise<ConsumerMessages> {
    const begun = this.#subscribed();
    const over = (): void => {
      if (this.#messages === begun) this.#messages = undefined;
    };
    void begun.then((messages) => messages.closed().then(over), over);
    return begun;
  }

  async #subscribed(): Promise<ConsumerMessages> {
    const { broker, stream, durable } = this.#parts;
    const connection = await broker.use();
    await this.#provide(await jetstreamManager(connection));
    const consumer = await jetstream(connection).consumers.get(stream, durable);
    return await consumer.consume({
      max_messages: askedFor,
      // One that was deleted is made again by the next look.
      abort_on_missing_resource: true,
      callback: (message) => {
        this.#queue.push(message);
        for (const wake of this.#waiting) wake();
      },
    });
  }

  async #provide(manager: JetStreamManager): Promise<void> {
    const { stream, subjects, durable, ackWait: wait = ackWait } = this.#parts;
    const changing = {
      filter_subjects: [...subjects],
      ack_wait: nanos(wait),
      max_ack_pending: mostPending,
      // How often a message is tried is counted in its row: here it is delivered until it is acknowledged.
      max_deliver: -1,
    };
    const there = await manager.consumers.info(stream, durable).catch((error: unknown) => {
      if (isCode(error, JetStreamApiCodes.ConsumerNotFound)) return undefined;
      throw error;
    });
    const lasting: Partial<ConsumerConfig> = {
      durable_name: durable,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
    };
    if (there === undefined) await manager.consumers.add(stream, { ...lasting, ...changing });
    else await manager.consumers.update(stream, durable, changing);
  }

  async #arrival(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    this.#waiting.add(wake);
    await pause(longestLook, undefined, { signal: AbortSignal.any([signal, woken.signal]) }).catch(() => undefined);
    this.#waiting.delete(wake);
  }

  #delivery(message: JsMsg): Delivery {
    return {
      place: `${this.#parts.stream}:${message.seq}`,
      subject: message.subject,
      body: message.data,
      ack: () => answer(() => message.ack()),
      back: (rest) => answer(() => message.nak(Math.max(milliseconds(1), Math.ceil(rest)))),
    };
  }
}

function isCode(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

/** An answer that is lost with the connection is made good by the next delivery. */
function answer(send: () => void): void {
  try {
    send();
  } catch {
    // The connection is closed.
  }
}
