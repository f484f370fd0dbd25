import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from 'pino';
import { deliver, type Outcome } from '../activities/delivery/deliver.ts';
import type { Outlet } from '../activities/delivery/outlet.ts';
import type { Channel, Delivered, Delivery } from '../activities/stores/postgres/outbox/due-deliveries.ts';
import { milliseconds, seconds } from '../workflows/operation/duration.ts';

/** Messages that are under way at once: each has a connection of its own to the mail server. */
const atOnce = 8;
/** A sender that dies leaves what it has for this long. It is renewed while a message is under way. */
export const lease = seconds(15);
/** Three renewals fit into a lease: two may get lost. */
const renewEvery = seconds(5);
/** Nobody waits for a mail: half a second is not noticed, and asks little of PostgreSQL. */
const interval = milliseconds(500);
/** A channel whose system is left alone: an outage with thousands of messages must not keep PostgreSQL busy. */
const rest = seconds(1);
/** What is being sent when the process is to stop may end for this long. */
const drain = seconds(3);

/** The rows of the outbox, as a sender sees them. A test passes its own, to stop the sender at a boundary. */
export type DeliveryRows = {
  take(channels: readonly Channel[], atMost: number): Promise<readonly Delivery[]>;
  /** Renews leases. @returns the ids of those that this sender still has */
  keep(held: readonly Delivery[]): Promise<ReadonlySet<string>>;
  /** @param by the system that is about to get it @returns false where another sender has it */
  begin(delivery: Delivery, by: string): Promise<boolean>;
  end(delivery: Delivery, became: Delivered): Promise<void>;
};

type DeliveryLoopParts = {
  readonly rows: DeliveryRows;
  /** The channels that have a way out. Messages of others wait. */
  readonly outlets: ReadonlyMap<Channel, Outlet>;
  readonly log: Logger;
  readonly count: (channel: Channel, became: Outcome['state']) => void;
};

type UnderWay = { readonly delivery: Delivery; readonly lost: AbortController; readonly ended: Promise<void> };

/** Lets messages leave, from rows. */
export class DeliveryLoop {
  readonly #parts: DeliveryLoopParts;
  readonly #underWay = new Map<string, UnderWay>();
  /** When a channel is tried again whose system is left alone, by `performance.now()`. */
  readonly #restsUntil = new Map<Channel, number>();
  readonly #stopped = new AbortController();
  readonly #renewing: NodeJS.Timeout;
  readonly #ended: Promise<void>;
  /** Whether the last look at the rows went well. */
  well = true;

  constructor(parts: DeliveryLoopParts) {
    this.#parts = parts;
    this.#renewing = setInterval(() => void this.#renew(), renewEvery);
    this.#ended = this.#run();
  }

  /** Takes nothing new, and lets what is being sent come to its end for a while. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#ended;
    const left = [...this.#underWay.values()].map(({ ended }) => ended);
    await Promise.race([Promise.all(left), pause(drain)]);
    clearInterval(this.#renewing);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      const full = await this.#look();
      if (!full) await pause(interval, undefined, { signal }).catch(() => undefined);
      else if (this.#underWay.size >= atOnce)
        await Promise.race([...this.#underWay.values()].map(({ ended }) => ended));
    }
  }

  /** @returns whether there may be more than there was room for */
  async #look(): Promise<boolean> {
    const now = performance.now();
    const channels = [...this.#parts.outlets.keys()].filter((channel) => (this.#restsUntil.get(channel) ?? 0) <= now);
    const room = atOnce - this.#underWay.size;
    if (channels.length === 0 || room === 0) return room === 0;
    try {
      const due = await this.#parts.rows.take(channels, room);
      for (const delivery of due) this.#begin(delivery);
      this.well = true;
      return due.length === room;
    } catch (err) {
      if (this.well) this.#parts.log.warn({ err }, 'The outbox could not be read; the next look tries again');
      this.well = false;
      return false;
    }
  }

  #begin(delivery: Delivery): void {
    const lost = new AbortController();
    const ended = this.#deliver(delivery, lost.signal)
      .catch((err: unknown) =>
        this.#parts.log.warn({ err, message: delivery.message.id }, 'What became of a message was not recorded'),
      )
      .finally(() => this.#underWay.delete(delivery.id));
    this.#underWay.set(delivery.id, { delivery, lost, ended });
  }

  async #deliver(delivery: Delivery, signal: AbortSignal): Promise<void> {
    const { rows, outlets, count } = this.#parts;
    const { channel } = delivery.message;
    const outlet = outlets.get(channel);
    if (outlet === undefined) return;
    const begin = async (): Promise<boolean> => {
      const asked = performance.now();
      // A process that was frozen meanwhile may have lost the lease that this renews.
      return (await rows.begin(delivery, outlet.place)) && performance.now() - asked < lease;
    };
    const became = await deliver(delivery, { outlet, begin, signal, random: Math.random() });
    count(channel, became.state);
    if (became.state === 'taken-over') return;
    if (became.state === 'due' && became.heldBack) this.#restsUntil.set(channel, performance.now() + rest);
    this.#tell(delivery, became);
    // A row that is not written is taken again when its lease ends.
    await rows.end(delivery, became);
  }

  /** The reason stands in the row. A mail server's words may hold the address of a person, so the log does not have them. */
  #tell({ message, tries }: Delivery, became: Delivered): void {
    if (became.state === 'sent' || (became.state === 'due' && became.heldBack)) return;
    const { id, operation, channel, type } = message;
    const about = { message: id, operation, channel, type, tries, code: became.code };
    if (became.state === 'failed') this.#parts.log.error(about, 'A message did not leave, and waits for a person');
    else this.#parts.log.info(about, 'A message did not leave, and is tried again');
  }

  /** What another sender has taken is stopped, if that is still possible. */
  async #renew(): Promise<void> {
    const held = [...this.#underWay.values()];
    if (held.length === 0) return;
    const asked = held.map(({ delivery }) => delivery);
    const kept = await this.#parts.rows.keep(asked).catch(() => undefined);
    if (kept === undefined) return;
    for (const { delivery, lost } of held)
      if (!kept.has(delivery.id) && this.#underWay.has(delivery.id)) lost.abort(new Error('Another sender has it'));
  }
}
