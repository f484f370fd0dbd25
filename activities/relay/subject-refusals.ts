import type { Shard } from '../stores/postgres/outbox/due-events.ts';

/** A refusal, and the hold of the shard under which it came. */
type Mark = { readonly at: number; readonly shard: Shard };

/**
 * Tells a broker that takes nothing on one subject from one that takes nothing at all, such as where the relay has lost its rights. It
 * is the subject where the broker has taken another event that was sent after it refused this one.
 *
 * It remembers refusals that are not decided: of each shard those of its newest batch.
 */
export class SubjectRefusals {
  /** Counts sends and refusals, in the order in which they come. */
  #clock = 0;
  /** When the newest event was sent that the broker has taken. */
  #sentAndTaken = 0;
  readonly #refused = new Map<string, Mark>();

  /** Forgets what is no longer due, or was refused while another relay could hold the shard. */
  begin({ number, fence }: Shard, due: ReadonlySet<string>): void {
    for (const [id, { shard }] of this.#refused)
      if (shard.number === number && (shard.fence !== fence || !due.has(id))) this.#refused.delete(id);
  }

  /** @returns the moment, to be given to `took` */
  sends(): number {
    this.#clock += 1;
    return this.#clock;
  }

  took(id: string, sent: number): void {
    this.#sentAndTaken = Math.max(this.#sentAndTaken, sent);
    this.#refused.delete(id);
  }

  refused(id: string, shard: Shard): void {
    this.#clock += 1;
    if (!this.#refused.has(id)) this.#refused.set(id, { at: this.#clock, shard });
  }

  /** Whether it was the subject. Then it is asked once. */
  decides(id: string): boolean {
    const decided = this.#sentAndTaken > (this.#refused.get(id)?.at ?? Number.POSITIVE_INFINITY);
    if (decided) this.#refused.delete(id);
    return decided;
  }
}
