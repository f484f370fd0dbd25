import { createHash } from 'node:crypto';
import { jetstream, jetstreamManager, JetStreamApiError, type JetStreamManager } from '@nats-io/jetstream';
import { BrokerConnection } from './broker-connection.ts';

/** The stream in which ids are kept, a subject for each. */
const streamName = 'HAPAX_ONCE';
const root = 'hapax_once';
/** The code of JetStream's refusal where a subject has another last message than the one that was expected. */
const writtenMeanwhile = 10071;
/** JetStream counts lifetimes in whole seconds. */
const second = 1_000;

type OnceStreamOptions = {
  /** Such as `nats://127.0.0.1:4222`. JetStream of NATS 2.11 or later. */
  readonly url: string;
  /** The content of a credentials file. */
  readonly credentials: string | undefined;
  /** How long a question may take. Milliseconds. */
  readonly within: number;
};

/** The last message of a subject. */
type Entry = { readonly sequence: number; readonly text: string };

/** A stream that keeps the last message of each id, and takes a new one only from whoever knows the last. */
export class OnceStream {
  readonly #broker: BrokerConnection;
  readonly #within: number;
  #manager: Promise<JetStreamManager> | undefined;

  constructor({ url, credentials, within }: OnceStreamOptions) {
    this.#broker = new BrokerConnection(url, { name: 'hapax-dedup', credentials });
    this.#within = within;
  }

  /** @returns undefined where nothing stands there, or its lifetime is over */
  async read(name: string): Promise<Entry | undefined> {
    const { streams } = await this.#ready();
    const message = await streams.getMessage(streamName, { last_by_subj: subjectOf(name) });
    return message === null ? undefined : { sequence: message.seq, text: message.string() };
  }

  /**
   * Writes after `last`, or where nothing stands.
   * @param lifetime milliseconds
   * @returns the sequence of what was written; undefined where somebody else has written meanwhile
   */
  async write(name: string, text: string, lifetime: number, last: Entry | undefined): Promise<number | undefined> {
    await this.#ready();
    try {
      const { seq } = await jetstream(await this.#broker.use()).publish(subjectOf(name), text, {
        expect: { streamName, lastSubjectSequence: last?.sequence ?? 0 },
        ttl: `${Math.max(1, Math.ceil(lifetime / second))}s`,
        timeout: this.#within,
        retries: 0,
      });
      return seq;
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === writtenMeanwhile) return undefined;
      throw error;
    }
  }

  /** Removes this message, and no later one of its subject. */
  async remove({ sequence }: Entry): Promise<void> {
    const { streams } = await this.#ready();
    try {
      await streams.deleteMessage(streamName, sequence, false);
    } catch (error) {
      // It is gone.
      if (!(error instanceof JetStreamApiError) || (error.status !== 404 && error.status !== 400)) throw error;
    }
  }

  async close(): Promise<void> {
    await this.#broker.close();
  }

  async #ready(): Promise<JetStreamManager> {
    this.#manager ??= this.#make();
    try {
      return await this.#manager;
    } catch (error) {
      this.#manager = undefined;
      throw error;
    }
  }

  /** A stream that is there stays as it is: its replicas and its storage are its owner's. Two that make it at once make the same. */
  async #make(): Promise<JetStreamManager> {
    const manager = await jetstreamManager(await this.#broker.use(), { timeout: this.#within });
    await manager.streams.info(streamName).catch(async (error: unknown) => {
      if (!(error instanceof JetStreamApiError) || error.status !== 404) throw error;
      await manager.streams.add({
        name: streamName,
        subjects: [`${root}.>`],
        max_msgs_per_subject: 1,
        allow_msg_ttl: true,
      });
    });
    return manager;
  }
}

/** Names may hold what subjects must not. */
function subjectOf(name: string): string {
  return `${root}.${createHash('sha256').update(name).digest('base64url')}`;
}
