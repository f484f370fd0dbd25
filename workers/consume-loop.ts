import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { consumeBatch, type Ended } from '../activities/consume/consume-batch.ts';
import type { Consumer } from '../activities/consume/define-consumer.ts';
import { windowFault } from '../activities/consume/window-fault.ts';
import { type Delivery, type MessageSource, StreamMissing } from '../activities/stores/message-source.ts';
import type { Database } from '../activities/stores/postgres/database.ts';
import { seconds } from '../workflows/operation/duration.ts';

/** Messages of one transaction. More hold locks for longer, and a poisonous one takes more of them along. */
const batchSize = 100;
/** While one batch waits for PostgreSQL, the other keeps the processor busy. */
const atOnce = 2;
/**
 * An effect that fails for every message is broken itself. Then messages are taken slowly, so that they stay in the stream until it
 * is mended.
 */
const longestRest = seconds(30);
/** How soon what is away is asked for again, and messages that could not be consumed are delivered again. */
const rest = seconds(1);

type Fault = { readonly state: 'failed' | 'degraded'; readonly says: string };

type ConsumeLoopParts = {
  readonly consumer: Consumer;
  readonly source: MessageSource;
  /** Acts as the tenants whose messages they are. */
  readonly database: Database;
  readonly log: Logger;
  readonly count: (became: Ended['became'], times: number) => void;
};

/** Takes what a source delivers, and acknowledges it when it is committed. */
export class ConsumeLoop {
  readonly #parts: ConsumeLoopParts;
  readonly #stopped = new AbortController();
  readonly #ended: Promise<unknown>;
  /** Why nothing is consumed now; undefined while all is well. Where nobody has published yet, that is no failure. */
  fault: Fault | undefined = { state: 'failed', says: 'It has not been asked yet.' };

  constructor(parts: ConsumeLoopParts) {
    this.#parts = parts;
    this.#ended = this.#run();
  }

  /** Ends the batches that are under way. What has not been begun is given back. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#ended;
    await this.#parts.source.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted && !(await this.#windowHolds())) await this.#rest(rest);
    await Promise.all(Array.from({ length: atOnce }, () => this.#batches()));
  }

  async #windowHolds(): Promise<boolean> {
    const { consumer, source } = this.#parts;
    try {
      const fault = windowFault(consumer, await source.redeliversFor());
      if (fault !== undefined) this.#tell({ state: 'failed', says: fault });
      return fault === undefined;
    } catch (error) {
      this.#tell(faultOf(source, error));
      return false;
    }
  }

  async #batches(): Promise<void> {
    const { consumer, source } = this.#parts;
    const { signal } = this.#stopped;
    /** Batches in a row of which nothing was done. */
    let failed = 0;
    while (!signal.aborted) {
      try {
        const batch = await source.take(batchSize, signal);
        const used = batch.length === 0 || (await this.#consume(batch));
        if (this.fault !== undefined) this.#parts.log.info({ consumer: consumer.name }, `${source.called} is consumed`);
        this.fault = undefined;
        failed = used ? 0 : failed + 1;
        if (!used) await this.#rest(Math.min(longestRest, rest * 2 ** (failed - 1)));
      } catch (error) {
        this.#tell(faultOf(source, error));
        await this.#rest(rest);
      }
    }
  }

  async #rest(time: number): Promise<void> {
    await pause(time, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
  }

  /**
   * @returns whether any of it could be used
   * @throws where PostgreSQL is away: then the source delivers all of it again
   */
  async #consume(batch: readonly Delivery[]): Promise<boolean> {
    const { consumer, database } = this.#parts;
    try {
      const ended = await consumeBatch(database, consumer, batch);
      for (const one of ended) this.#end(one);
      for (const delivery of batch) delivery.ack();
      return ended.some(({ became }) => became !== 'failed');
    } catch (error) {
      for (const delivery of batch) delivery.back(rest);
      throw error;
    }
  }

  #end({ delivered, became, kept }: Ended): void {
    const { consumer, log, count } = this.#parts;
    count(became, 1);
    const about = { consumer: consumer.name, place: delivered.place, letter: kept?.id, code: kept?.code };
    if (became === 'failed') log.info(about, 'a message was not consumed, and is tried again');
    else if (became === 'dead' || became === 'too-far') log.error(about, 'a message waits for a person');
    else if (became === 'nobodys') log.error(about, `a message was dropped: its subject names no tenant`);
  }

  #tell(fault: Fault): void {
    if (fault.says !== this.fault?.says) this.#parts.log.warn({ consumer: this.#parts.consumer.name }, fault.says);
    this.fault = fault;
  }
}

function faultOf({ called }: MessageSource, error: unknown): Fault {
  const { message } = ((error as Error).cause ?? error) as Error;
  const says = `Nothing is consumed from ${called}, which is tried again each second. ${message}`;
  return { state: error instanceof StreamMissing ? 'degraded' : 'failed', says };
}
