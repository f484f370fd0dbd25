import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { deliver, type Outcome } from '../activities/delivery/deliver.ts';
import type { Outlet, Outlets } from '../activities/delivery/outlet.ts';
import type { Channel, Delivered, Delivery } from '../activities/stores/postgres/outbox/due-deliveries.ts';
import type { Busy } from '../activities/stores/postgres/outbox/due-webhooks.ts';
import { milliseconds, seconds } from '../workflows/operation/duration.ts';
import { Ways } from './delivery-ways.ts';

/** Messages that are under way at once: each has a connection of its own to the mail server. */
const usually = 8;
/** A sender that dies leaves what it has for this long. It is renewed while a message is under way. */
export const lease = seconds(15);
/** Three renewals fit into a lease: two may get lost. */
const renewEvery = seconds(5);
/** Nobody waits for a message: half a second is not noticed, and asks little of PostgreSQL. */
const interval = milliseconds(500);
/** Between two looks for more of an endpoint's, so that PostgreSQL is not asked after each. */
const breath = milliseconds(20);
/** Until the ledger has taken down what became of a message. */
const recordEvery = milliseconds(500);
/** What is being handed over when the process is to stop may end for this long: containers get 30 s (docker-compose.yml). */
const drain = seconds(20);

/** The rows of the outbox, as a sender sees them. A test passes its own, to stop the sender at a boundary. */
export type DeliveryRows = {
  /** @param busy what endpoints have under way */
  take(channels: readonly Channel[], atMost: number, busy: Busy): Promise<readonly Delivery[]>;
  /** Renews leases. @returns the ids of those that this sender still has */
  keep(held: readonly Delivery[]): Promise<ReadonlySet<string>>;
  /** @param by the system that is about to get it @returns false where another sender has it */
  begin(delivery: Delivery, by: string): Promise<boolean>;
  /** Returns also where another sender has it. */
  end(delivery: Delivery, became: Delivered): Promise<void>;
};

type DeliveryLoopParts = {
  readonly rows: DeliveryRows;
  /** The channels that have a way out. Messages of others wait. */
  readonly outlets: Outlets;
  /** Messages that are under way at once. */
  readonly atOnce?: number;
  /** How many of them may go to one endpoint. */
  readonly forEach?: number;
  readonly log: Logger;
  readonly count: (channel: Channel, became: Outcome['state']) => void;
};

/** A try of a message. */
type UnderWay = {
  /** As it was taken last, with the fence that counts. */
  delivery: Delivery;
  /** It has come to the mark, or is past it: to stop it now may be too late. */
  marks: boolean;
  readonly stopped: AbortController;
};

/** Lets messages leave, from rows. */
export class DeliveryLoop {
  readonly #parts: DeliveryLoopParts;
  /** The tries by the ids of their deliveries, and when each has ended. */
  readonly #underWay = new Map<string, UnderWay & { readonly ended: Promise<void> }>();
  /** Since when all leases of what is under way are known to count, by `performance.now()`. */
  #keptAt = 0;
  readonly #ways: Ways;
  readonly #atOnce: number;
  /** Ends the wait for room, or for the next look. */
  #wake = (): void => undefined;
  readonly #stopped = new AbortController();
  /** Nothing is waited for any more. */
  readonly #over = new AbortController();
  readonly #renewing: NodeJS.Timeout;
  readonly #ended: Promise<void>;
  /** Whether the last look at the rows went well. */
  well = true;

  constructor(parts: DeliveryLoopParts) {
    this.#parts = parts;
    this.#atOnce = parts.atOnce ?? usually;
    this.#ways = new Ways(parts.forEach);
    this.#renewing = setInterval(() => void this.#renew().catch(() => undefined), renewEvery);
    this.#ended = this.#run();
  }

  /** Takes nothing new, gives back what no system has yet, and lets what is being handed over come to its end for a while. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#wake();
    await this.#ended;
    const left = [...this.#underWay.values()];
    for (const { marks, stopped } of left) if (!marks) stopped.abort(new Error('Its sender was to stop'));
    const { signal } = this.#over;
    await Promise.race([
      Promise.all(left.map(({ ended }) => ended)),
      pause(drain, undefined, { signal }).catch(() => undefined),
    ]);
    this.#over.abort();
    clearInterval(this.#renewing);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const full = await this.#look();
      if (full && this.#underWay.size < this.#atOnce) continue;
      // A place that has become free meanwhile is not waited for.
      if (this.#ways.takeFreed()) await pause(breath, undefined, { signal }).catch(() => undefined);
      else if (!signal.aborted) await this.#rest(full);
    }
  }

  /** Waits for room; where there is some, for the next look at most. */
  async #rest(full: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const timer = full ? undefined : setTimeout(resolve, interval);
    await promise;
    clearTimeout(timer);
  }

  /** @returns whether there may be more than there was room for */
  async #look(): Promise<boolean> {
    const now = performance.now();
    const channels = [...this.#parts.outlets.keys()].filter((channel) => !this.#ways.rests(channel, now));
    const room = this.#atOnce - this.#underWay.size;
    if (channels.length === 0 || room === 0) return room === 0;
    try {
      // After an outage of PostgreSQL what is under way here would be due, and is ours as long as nobody else has taken it.
      if (this.#underWay.size > 0 && now - this.#keptAt >= renewEvery) await this.#renew();
      const due = await this.#parts.rows.take(channels, room, this.#ways.busy(now));
      for (const delivery of due) this.#begin(delivery, now);
      this.well = true;
      return due.length === room;
    } catch (err) {
      if (this.well) this.#parts.log.warn({ err }, 'The outbox could not be read; the next look tries again');
      this.well = false;
      return false;
    }
  }

  /** @param asked when it was asked for: its lease begins later */
  #begin(delivery: Delivery, asked: number): void {
    const same = this.#underWay.get(delivery.id);
    if (same !== undefined) {
      // Its lease had ended, and it has come back to us: the try that is under way goes on, under the fence that counts now.
      same.delivery = delivery;
      return;
    }
    if (this.#underWay.size === 0) this.#keptAt = asked;
    const tried: UnderWay = { delivery, marks: false, stopped: new AbortController() };
    const ended = this.#deliver(tried)
      .catch((err: unknown) =>
        this.#parts.log.warn({ err, message: delivery.message.id }, 'What became of a message was not recorded'),
      )
      .finally(() => {
        this.#underWay.delete(delivery.id);
        const freed = this.#ways.end(delivery);
        if (freed || this.#underWay.size === this.#atOnce - 1) this.#wake();
      });
    this.#ways.begin(delivery);
    this.#underWay.set(delivery.id, Object.assign(tried, { ended }));
  }

  async #deliver(tried: UnderWay): Promise<void> {
    const { rows, outlets, count } = this.#parts;
    const { delivery } = tried;
    const { signal } = tried.stopped;
    const { channel } = delivery.message;
    const given = outlets.get(channel);
    if (given === undefined) return;
    const outlet: Outlet = typeof given === 'function' ? given(delivery) : given;
    const begin = async (): Promise<boolean> => {
      // What was stopped a moment ago leaves no mark.
      signal.throwIfAborted();
      tried.marks = true;
      const asked = performance.now();
      // A process that was frozen meanwhile may have lost the lease that this renews.
      return (await rows.begin(tried.delivery, outlet.place)) && performance.now() - asked < lease;
    };
    const became = await deliver(delivery, { outlet, begin, signal, random: Math.random() });
    count(channel, became.state);
    if (became.state === 'taken-over') return;
    if (became.state === 'due' && became.heldBack && !signal.aborted)
      this.#ways.leaveAlone(delivery, became.pause, performance.now());
    this.#tell(delivery, became);
    await this.#record(tried, became);
  }

  /**
   * A yes that is forgotten is a mail that is sent again. So it is told until the ledger has answered, and the lease is renewed
   * meanwhile. What cannot be recorded at all keeps its place here: the same mail again and again would be worse.
   */
  async #record(tried: UnderWay, became: Delivered): Promise<void> {
    const { signal } = this.#over;
    for (let first = true; ; first = false) {
      try {
        await this.#parts.rows.end(tried.delivery, became);
        return;
      } catch (err) {
        if (signal.aborted) throw err;
        const about = { err, message: tried.delivery.message.id };
        if (first) this.#parts.log.warn(about, 'What became of a message is not recorded yet; tried until it is');
        await pause(recordEvery, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** The reason stands in the row. A mail server's words may hold the address of a person, so the log does not have them. */
  #tell({ message, tries, webhook }: Delivery, became: Delivered): void {
    if (!('code' in became) || (became.state === 'due' && became.heldBack)) return;
    const { id, operation, channel, type } = message;
    const to = webhook === undefined ? {} : { endpoint: webhook.endpoint };
    const about = { message: id, operation, channel, type, ...to, tries, code: became.code };
    if (became.state === 'failed') this.#parts.log.error(about, 'A message did not leave, and waits for a person');
    else this.#parts.log.info(about, 'A message did not leave, and is tried again');
  }

  /** What another sender has taken is stopped, if that is still possible. */
  async #renew(): Promise<void> {
    const held = [...this.#underWay.values()].map((tried) => ({ tried, delivery: tried.delivery }));
    if (held.length === 0) return;
    const asked = performance.now();
    const kept = await this.#parts.rows.keep(held.map(({ delivery }) => delivery));
    this.#keptAt = asked;
    for (const { tried, delivery } of held)
      if (!kept.has(delivery.id) && tried.delivery === delivery)
        tried.stopped.abort(new Error('Another sender has it'));
  }
}
