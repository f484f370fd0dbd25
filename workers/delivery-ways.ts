import type { Channel, Delivery } from '../activities/stores/postgres/outbox/due-deliveries.ts';
import type { Busy } from '../activities/stores/postgres/outbox/due-webhooks.ts';
import { seconds } from '../workflows/operation/duration.ts';

/** A system that is left alone: an outage with thousands of messages must not keep PostgreSQL busy. */
const shortestRest = seconds(1);

/** Where messages go: the system behind a channel, or one of the endpoints. Knows which are busy, and which are left alone. */
export class Ways {
  /** How many may go to one endpoint at once. */
  readonly #forEach: number;
  readonly #underWay = new Map<string, number>();
  /** By `performance.now()`. */
  readonly #restsUntil = new Map<string, number>();
  /** Whether an endpoint that had as much as it may have can have more. */
  #freed = false;

  constructor(forEach = Number.MAX_SAFE_INTEGER) {
    this.#forEach = forEach;
  }

  rests(channel: Channel, now: number): boolean {
    return (this.#restsUntil.get(channel) ?? 0) > now;
  }

  begin(delivery: Delivery): void {
    const way = wayOf(delivery);
    this.#underWay.set(way, (this.#underWay.get(way) ?? 0) + 1);
  }

  /** @returns whether an endpoint that had as much as it may have can have more */
  end(delivery: Delivery): boolean {
    const way = wayOf(delivery);
    const before = this.#underWay.get(way) ?? 0;
    if (before > 1) this.#underWay.set(way, before - 1);
    else this.#underWay.delete(way);
    if (before < this.#forEach) return false;
    this.#freed = true;
    return true;
  }

  /** @returns whether an endpoint has become free since this was last asked */
  takeFreed(): boolean {
    const freed = this.#freed;
    this.#freed = false;
    return freed;
  }

  /** What a guard has held back is asked for again at its time. A channel is asked each second: its messages are of one system. */
  leaveAlone(delivery: Delivery, pause: number, now: number): void {
    const rest = delivery.webhook === undefined ? shortestRest : Math.max(shortestRest, pause);
    this.#restsUntil.set(wayOf(delivery), now + rest);
  }

  /** What endpoints have under way; one that is left alone has as many as it may have. */
  busy(now: number): Busy {
    const busy = new Map(this.#underWay);
    for (const [way, until] of this.#restsUntil) {
      if (until > now) busy.set(way, this.#forEach);
      else this.#restsUntil.delete(way);
    }
    return busy;
  }
}

function wayOf({ webhook, message }: Delivery): string {
  return webhook?.endpoint ?? message.channel;
}
