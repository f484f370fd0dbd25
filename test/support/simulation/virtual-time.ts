import { AsyncLocalStorage } from 'node:async_hooks';
import { seededRandom } from '../seeded-random.ts';

/** A worker process, as far as it can die or stand still. */
export type Host = {
  readonly name: string;
  dead: boolean;
  /** It stands still until then. Milliseconds since 1970. */
  thawsAt: number;
};

/** One line of work. At most one of a simulation's strands runs at a time. */
export type Strand<T = unknown> = {
  readonly host: Host | undefined;
  /** How it ended; undefined while it goes on, and for ever where its host has died. */
  end: { readonly value: T } | { readonly error: unknown } | undefined;
};

/** A strand that waits for its turn. */
type Parked = {
  readonly strand: Strand;
  readonly resume: () => void;
  /** It may go on at this time, whatever `ready` says. Milliseconds since 1970. */
  readonly at: number;
  readonly ready?: () => boolean;
};

type Place = { readonly time: VirtualTime; readonly strand: Strand };
const places = new AsyncLocalStorage<Place>();

/** The simulation and the strand that the caller runs in; undefined outside of any. */
export function placeNow(): Place | undefined {
  return places.getStore();
}

/**
 * A simulation's own time. Strands give way to each other only where they say so, a seed decides whose turn is next, and
 * time passes only when nobody has anything to do: so a history takes the same course each time, and days cost nothing.
 */
export class VirtualTime {
  /** Whose time it is: the tenant of the history. */
  readonly owner: string;
  readonly #random: () => number;
  #now: number;
  #parked: Parked[] = [];
  #rest: () => void = () => undefined;

  constructor(owner: string, begins: number, seed: number) {
    this.owner = owner;
    this.#now = begins;
    this.#random = seededRandom(seed);
  }

  /** Milliseconds since 1970. */
  get now(): number {
    return this.#now;
  }

  /** From 0 to 1, the same in each run. */
  random(): number {
    return this.#random();
  }

  /** Begins a strand beside the others. */
  spawn<T>(work: () => Promise<T>, host?: Host): Strand<T> {
    const strand: Strand<T> = { host, end: undefined };
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#parked.push({ strand, resume: resolve, at: this.#now });
    void places.run({ time: this, strand }, async () => {
      await promise;
      try {
        strand.end = { value: await work() };
      } catch (error) {
        strand.end = { error };
      }
      this.#rest();
    });
    return strand;
  }

  /** Lets others go first. */
  async turn(): Promise<void> {
    await this.#park({ at: this.#now });
  }

  async sleep(milliseconds: number): Promise<void> {
    await this.#park({ at: this.#now + milliseconds });
  }

  /** Waits until something is so, at most `atMost` milliseconds. */
  async until(ready: () => boolean, atMost = Number.POSITIVE_INFINITY): Promise<void> {
    await this.#park({ at: this.#now + atMost, ready });
  }

  /** Waits for another strand's end. @throws what it has thrown */
  async ended<T>(strand: Strand<T>): Promise<T> {
    await this.until(() => strand.end !== undefined);
    if (strand.end === undefined) throw new Error('A strand that has ended has an end');
    if ('error' in strand.end) throw strand.end.error;
    return strand.end.value;
  }

  /** The calling strand never goes on. */
  async vanish(): Promise<never> {
    this.#rest();
    return await new Promise<never>(() => undefined);
  }

  /** Runs the strands until this one has ended, or none can go on any more. */
  async run(last: Strand): Promise<void> {
    for (let next = this.#next(); next !== undefined && last.end === undefined; next = this.#next()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#rest = resolve;
      next.resume();
      await promise;
    }
  }

  #next(): Parked | undefined {
    this.#parked = this.#parked.filter(({ strand }) => strand.host?.dead !== true);
    for (;;) {
      const ready = this.#parked.filter((parked) => this.#mayGo(parked) <= this.#now);
      const next = ready[Math.floor(this.#random() * ready.length)];
      if (next !== undefined) {
        this.#parked.splice(this.#parked.indexOf(next), 1);
        return next;
      }
      const soonest = Math.min(...this.#parked.map((parked) => this.#mayGo(parked)));
      if (!Number.isFinite(soonest)) return undefined;
      this.#now = soonest;
    }
  }

  #mayGo({ strand, at, ready }: Parked): number {
    const from = ready?.() === true ? this.#now : at;
    return Math.max(from, strand.host?.thawsAt ?? 0);
  }

  async #park(how: Pick<Parked, 'at' | 'ready'>): Promise<void> {
    const strand = placeNow()?.strand;
    if (strand === undefined) throw new Error('Only a strand can wait in virtual time');
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#parked.push({ ...how, strand, resume: resolve });
    this.#rest();
    await promise;
  }
}
