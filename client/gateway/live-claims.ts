import type { Asked } from './asked.ts';
import { sameIntent, type Started } from './claim-and-start.ts';
import type { NotBegun } from './reply.ts';

type Live = { readonly digest: string; readonly claimed: Promise<Started | NotBegun> };

/** Requests of this process that are under way: the same one, asked many times at once, is claimed once. */
export class LiveClaims {
  readonly #live = new Map<string, Live>();

  /**
   * Joins the claim of the same request, or makes one.
   * @returns the claim, and whether it is another asker's: the row may then be somebody else's
   */
  join(asked: Asked, claim: () => Promise<Started | NotBegun>) {
    const live = this.#live.get(asked.name);
    if (live?.digest === asked.digest) return { claimed: live.claimed, follows: true };
    const claimed = claim();
    if (live === undefined) this.#keep(asked, claimed);
    return { claimed, follows: false };
  }

  /** The operation has settled, or nobody waits for it here any more. */
  forget(name: string): void {
    this.#live.delete(name);
  }

  /** Only what is open, and this request's own, is worth joining here; all else is answered by memory or the ledger. */
  #keep(asked: Asked, claimed: Promise<Started | NotBegun>): void {
    const live = { digest: asked.digest, claimed };
    this.#live.set(asked.name, live);
    const forget = (): void => {
      if (this.#live.get(asked.name) === live) this.#live.delete(asked.name);
    };
    claimed.then((row) => {
      if (row.kind !== 'claimed' || row.answer.kind !== 'none' || !sameIntent(asked, row)) forget();
    }, forget);
  }
}
