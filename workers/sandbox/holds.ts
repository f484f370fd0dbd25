import type { Sighting } from './fault-plan.ts';

/** A request that waits at a boundary until a test releases it. */
export interface Held extends Sighting {
  id: string;
  requestId: string;
  boundary: 'before' | 'after';
  /** Since when, in ISO 8601. */
  since: string;
}

export class Holds {
  readonly #held = new Map<string, { held: Held; go: (released: boolean) => void }>();
  #count = 0;

  /** Resolves to true when released, and to false when the client disconnected and must not be outlived. */
  wait(about: Omit<Held, 'id'>, clientGone: Promise<void> | undefined): Promise<boolean> {
    this.#count += 1;
    const id = `hold_${this.#count}`;
    return new Promise((resolve) => {
      const go = (released: boolean) => {
        this.#held.delete(id);
        resolve(released);
      };
      this.#held.set(id, { held: { id, ...about }, go });
      void clientGone?.then(() => go(false));
    });
  }

  /**
   * Releases one request, or all.
   * @returns the ids of those it released
   */
  release(id: string | undefined): string[] {
    const going = [...this.#held.values()].filter(({ held }) => id === undefined || held.id === id);
    for (const { go } of going) go(true);
    return going.map(({ held }) => held.id);
  }

  report(): Held[] {
    return [...this.#held.values()].map(({ held }) => held);
  }
}
