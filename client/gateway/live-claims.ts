import { type Asked, sameIntent } from './asked.ts';
import type { Found } from './claim-or-copy.ts';
import type { NotBegun } from './reply.ts';

type Live = { readonly digest: string; readonly claimed: Promise<Found | NotBegun> };

/** Requests that are under way in this process. Identical concurrent requests share one claim. */
export class LiveClaims {
  readonly #live = new Map<string, Live>();

  /**
   * Joins the claim of the same request, or makes one.
   * @returns the claim, and whether a concurrent request made it; the row may then belong to a different request
   */
  join(asked: Asked, claim: () => Promise<Found | NotBegun>) {
    const live = this.#live.get(asked.name);
    if (live?.digest === asked.digest) return { claimed: live.claimed, follows: true };
    const claimed = claim();
    if (live === undefined) this.#keep(asked, claimed);
    return { claimed, follows: false };
  }

  /** Call when the operation has settled, or when no request here waits for it any more. */
  forget(name: string): void {
    this.#live.delete(name);
  }

  /** Only an open operation of this very request is worth joining here. Memory or the ledger answers everything else. */
  #keep(asked: Asked, claimed: Promise<Found | NotBegun>): void {
    const live = { digest: asked.digest, claimed };
    this.#live.set(asked.name, live);
    const forget = (): void => {
      if (this.#live.get(asked.name) === live) this.#live.delete(asked.name);
    };
    // A row that this build cannot compare is nobody's to join: each asker is told so, and this promise has no asker.
    claimed
      .then((row) => {
        if (row.kind !== 'claimed' || row.answer.kind !== 'none' || !sameIntent(asked, row)) forget();
      })
      .catch(forget);
  }
}
