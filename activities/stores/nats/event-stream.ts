import {
  jetstream,
  jetstreamManager,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  type StreamInfo,
} from '@nats-io/jetstream';
import { errors, headers, type NatsConnection } from '@nats-io/transport-node';
import { type PublishRefusal, publishRefusal } from './publish-refusal.ts';

/** The stream into which events are published. */
const streamName = 'HAPAX_EVENTS';
const subjects = 'hapax.>';
/** Subjects of a stream that may be those of events. */
const ofOurs = /^(hapax\.|\*\.|>$)/;

/** What a broker has made of a message. */
export type Published =
  /** `duplicate`: it knew the id, and has kept the first one. */
  | { readonly state: 'published'; readonly duplicate: boolean }
  /** It does not take this one until somebody mends what `detail` says, and others meanwhile. */
  | ({ readonly state: 'refused' } & PublishRefusal)
  /** It may have taken it, or takes nothing now. */
  | { readonly state: 'unanswered'; readonly detail: string };

type StreamTerms = {
  /** For how long the stream knows an id, where it is made here. Milliseconds. */
  readonly window: number;
  /** How long an acknowledgement may take. Milliseconds. */
  readonly answersWithin: number;
};

/** The stream is there, and is not what we need. */
export class StreamUnfit extends Error {
  override readonly name = 'StreamUnfit';
}

/** The stream of events in JetStream. */
export class EventStream {
  readonly #connection: NatsConnection;
  readonly #terms: StreamTerms;
  #manager: JetStreamManager | undefined;
  #connected = true;

  constructor(connection: NatsConnection, terms: StreamTerms) {
    this.#connection = connection;
    this.#terms = terms;
    void this.#watch();
  }

  /**
   * The client keeps what is published while it has no connection, and sends it when it has one again, however late. So nothing is
   * given to it meanwhile.
   */
  async #watch(): Promise<void> {
    for await (const { type } of this.#connection.status()) {
      if (type === 'disconnect') this.#connected = false;
      if (type === 'reconnect') this.#connected = true;
    }
  }

  /**
   * Makes the stream where it is missing. One that is there stays as it is: its limits and replicas are its owner's.
   * @returns for how long it knows an id. Milliseconds
   * @throws StreamUnfit where it would store no event. One that stores some subjects is fit for them.
   */
  async ensure(): Promise<number> {
    if (!this.#connected) throw new Error('There is no connection to the broker');
    const { config } = await this.#found(await this.#managed());
    if (!config.subjects?.some((subject) => ofOurs.test(subject)))
      throw new StreamUnfit(`The stream ${streamName} does not store ${subjects}: add it to its subjects`);
    return nanosToMillis(config.duplicate_window);
  }

  async #found({ streams }: JetStreamManager): Promise<StreamInfo> {
    try {
      return await streams.info(streamName);
    } catch (error) {
      if (!(error instanceof JetStreamApiError) || error.status !== 404) throw error;
      // Two relays may make it at once: the second one finds the same.
      return await streams.add({
        name: streamName,
        subjects: [subjects],
        duplicate_window: this.#terms.window * 1_000_000,
        allow_direct: true,
      });
    }
  }

  /** Publishes one message. It never throws: without a clear answer, the message may be in the stream. */
  async publish(subject: string, id: string, body: string): Promise<Published> {
    if (!this.#connected) return { state: 'unanswered', detail: 'There is no connection to the broker.' };
    const about = headers();
    about.set('Content-Type', 'application/cloudevents+json');
    try {
      const { duplicate } = await jetstream(this.#connection).publish(subject, body, {
        msgID: id,
        headers: about,
        timeout: this.#terms.answersWithin,
        expect: { streamName },
        // The relay tries again by itself.
        retries: 0,
      });
      return { state: 'published', duplicate: duplicate === true };
    } catch (error) {
      const refusal =
        publishRefusal(error, streamName, subject) ?? (isUnheard(error) ? await this.#notStored(subject) : undefined);
      if (refusal !== undefined) return { state: 'refused', ...refusal };
      return { state: 'unanswered', detail: (error as Error).message };
    }
  }

  /**
   * Nobody listens on a subject that no stream stores. While the stream has no leader, nobody listens on any of its own: the broker
   * tells which of the two it is.
   */
  async #notStored(subject: string): Promise<PublishRefusal | undefined> {
    try {
      const { streams } = await this.#managed();
      await streams.info(streamName);
      const stored = await streams.find(subject).then(
        () => true,
        (error: unknown) => {
          if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.StreamNotFound) throw error;
          return false;
        },
      );
      if (stored) return undefined;
    } catch {
      return undefined;
    }
    const detail = `The stream ${streamName} does not store ${subject}: add it to its subjects, and replay the event.`;
    return { code: 'subject-refused', detail };
  }

  /** @returns the body of the newest message of a subject, if the stream still has one */
  async newestOf(subject: string): Promise<string | undefined> {
    const { streams } = await this.#managed();
    const message = await streams.getMessage(streamName, { last_by_subj: subject });
    return message?.string();
  }

  async #managed(): Promise<JetStreamManager> {
    this.#manager ??= await jetstreamManager(this.#connection, { timeout: this.#terms.answersWithin });
    return this.#manager;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }
}

/** Nobody listens on the subject. The client takes it for a broker without JetStream. */
function isUnheard(error: unknown): boolean {
  const cause = (error as Error).cause;
  return cause instanceof errors.RequestError && cause.isNoResponders();
}

const nanosToMillis = (nanos: number): number => nanos / 1_000_000;
