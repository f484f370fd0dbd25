import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Passed, Way } from '../activities/relay/pass.ts';
import type { Shard } from '../activities/stores/postgres/outbox/due-events.ts';
import type { Leases } from '../activities/stores/postgres/outbox/shard-leases.ts';
import { milliseconds, seconds } from '../workflows/operation/duration.ts';
import { drawPause, whilePublishing } from '../workflows/operation/retry-schedule.ts';

/** A relay that dies leaves its shards for this long. */
export const lease = seconds(15);
/** Several renewals may get lost. A relay that joins others has its share after two rounds: they leave it, and it takes it. */
const renewEvery = seconds(2);
/** How late an event is noticed. The look asks PostgreSQL for less than a millisecond. */
const interval = milliseconds(200);
/** Shards that are published side by side: two are written while two others are read and recorded. */
const atOnce = 4;
/** What is being published when the process is to stop may end for this long. */
const drain = seconds(10);

/** The leases, as a relay sees them. */
export type ShardLeases = {
  keep(): Promise<Leases>;
  leave(numbers: readonly number[], goes: boolean): Promise<void>;
  /** @returns those that have something to publish */
  due(numbers: readonly number[]): Promise<readonly number[]>;
};

type RelayLoopParts = { readonly leases: ShardLeases; readonly way: Way; readonly log: Logger };

/** A shard that is held, and until when that surely counts, by `performance.now()`. */
type Held = { readonly shard: Shard; readonly until: number };

/** Publishes the events of the shards that it leases, shard by shard in turn. */
export class RelayLoop {
  readonly #parts: RelayLoopParts;
  readonly #held = new Map<number, Held>();
  /** Beyond this relay's share: they are given back when nothing of them is under way. */
  #surplus = new Set<number>();
  /** Shards with something to publish. */
  readonly #waiting = new Set<number>();
  readonly #underWay = new Map<number, Promise<void>>();
  #renewAt = 0;
  /** When it is asked again whether events can leave, by `performance.now()`; undefined while they leave. It begins with asking. */
  #askAt: number | undefined = 0;
  /** How often in a row there was no answer. */
  #unanswered = 0;
  readonly #stopped = new AbortController();
  readonly #ended: Promise<void>;
  /** Whether the last look at the rows went well. */
  well = true;
  /** Why nothing leaves, if that is so. */
  why: string | undefined;

  constructor(parts: RelayLoopParts) {
    this.#parts = parts;
    this.#ended = this.#run();
  }

  /** Begins nothing new, lets what is under way end, and gives the shards back. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#ended;
    const over = new AbortController();
    await Promise.race([
      Promise.all(this.#underWay.values()),
      pause(drain, undefined, { signal: over.signal }).catch(() => undefined),
    ]);
    over.abort();
    // A lease that is not given back ends by itself.
    await this.#parts.leases.leave([...this.#held.keys()], true).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        if (performance.now() >= this.#renewAt) await this.#renew();
        if (await this.#leaves()) await this.#look();
        this.well = true;
      } catch (err) {
        if (this.well) this.#parts.log.warn({ err }, 'The outbox could not be read; the next look tries again');
        this.well = false;
      }
      await pause(interval, undefined, { signal }).catch(() => undefined);
    }
  }

  async #renew(): Promise<void> {
    const asked = performance.now();
    const { shards, share } = await this.#parts.leases.keep();
    this.#renewAt = asked + renewEvery;
    this.#held.clear();
    for (const shard of shards) this.#held.set(shard.number, { shard, until: asked + lease });
    const surplus = shards.slice(share).map(({ number }) => number);
    this.#surplus = new Set(surplus);
    const idle = surplus.filter((number) => !this.#underWay.has(number));
    if (idle.length === 0) return;
    for (const number of idle) this.#held.delete(number);
    await this.#parts.leases.leave(idle, false);
  }

  /** Whether events can leave now. After an outage that is proved before the next one is tried. */
  async #leaves(): Promise<boolean> {
    if (this.#askAt === undefined) return true;
    if (performance.now() < this.#askAt) return false;
    try {
      await this.#parts.way.prove();
      this.#askAt = undefined;
      this.why = undefined;
      this.#parts.log.info(`Events leave by ${this.#parts.way.called}`);
      return true;
    } catch (error) {
      this.#rest((error as Error).message);
      return false;
    }
  }

  /** Leaves the broker alone for a while. */
  #rest(detail: string): void {
    const { log, way } = this.#parts;
    if (this.why === undefined)
      log.warn(`Events wait, and are tried again: ${way.called} does not take them. ${detail}`);
    // Relays that saw the same outage do not come back at once.
    this.#unanswered += 1;
    this.#askAt = performance.now() + drawPause(this.#unanswered, whilePublishing, Math.random());
    this.why = detail;
    this.#waiting.clear();
  }

  async #look(): Promise<void> {
    const idle = [...this.#held.keys()].filter(
      (number) => !this.#underWay.has(number) && !this.#waiting.has(number) && !this.#surplus.has(number),
    );
    if (idle.length > 0) for (const number of await this.#parts.leases.due(idle)) this.#waiting.add(number);
    this.#begin();
  }

  #begin(): void {
    for (const number of this.#waiting) {
      if (this.#underWay.size >= atOnce || this.#askAt !== undefined || this.#stopped.signal.aborted) return;
      this.#waiting.delete(number);
      const held = this.#held.get(number);
      if (held === undefined || this.#underWay.has(number)) continue;
      const ended = this.#pass(held).finally(() => {
        this.#underWay.delete(number);
        this.#begin();
      });
      this.#underWay.set(number, ended);
    }
  }

  async #pass({ shard }: Held): Promise<void> {
    try {
      this.#took(shard, await this.#parts.way.pass(shard, () => this.#holds(shard)));
    } catch (err) {
      this.#parts.log.warn({ err, shard: shard.number }, 'Events were not read or recorded; they are tried again');
    }
  }

  #took(shard: Shard, passed: Passed): void {
    switch (passed.state) {
      case 'done':
        this.#unanswered = 0;
        if (passed.more && this.#holds(shard) && !this.#surplus.has(shard.number)) this.#waiting.add(shard.number);
        break;
      case 'lost':
        if (this.#held.get(shard.number)?.shard.fence === shard.fence) this.#held.delete(shard.number);
        break;
      case 'away':
        // Others may have found it before.
        if (this.#askAt === undefined) this.#rest(passed.detail);
        break;
    }
  }

  /** A process that was frozen may have lost what it holds in the meantime: its clock tells. */
  #holds({ number, fence }: Shard): boolean {
    const held = this.#held.get(number);
    return (
      held !== undefined &&
      held.shard.fence === fence &&
      performance.now() < held.until &&
      !this.#stopped.signal.aborted
    );
  }
}
