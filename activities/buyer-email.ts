import { checkoutFlow } from '../workflows/checkout.flow.ts';
import type { SealedPlace, Seals } from './seal/seals.ts';

const { name: flow } = checkoutFlow;
const field = 'email' satisfies (typeof checkoutFlow)['sealed'][number];

/** The buyer's e-mail address, as a checkout's request holds it: sealed, or plain if the build before 0043 claimed it. */
export class BuyerEmail {
  readonly #seals: Seals;
  readonly #held: string | undefined;
  readonly #place: SealedPlace;

  constructor(seals: Seals, held: string | undefined, owner: Pick<SealedPlace, 'tenant' | 'operation'>) {
    this.#seals = seals;
    this.#held = held;
    this.#place = { ...owner, flow, field };
  }

  /** As the order keeps it. It opens with the place of the checkout's own field. */
  get sealed(): string | null {
    return this.#held === undefined ? null : this.#seals.resealed(this.#held, this.#place);
  }

  /**
   * What the buyer may be known by in rows: first as new rows have it, then as rows from before a rotation of keys have
   * it, and last the address itself, as rows from before 0043 have it.
   */
  names(): readonly string[] {
    if (this.#held === undefined) return [];
    const address = String(this.#seals.open(this.#held, this.#place)).toLowerCase();
    return [...this.#seals.indexes(address, this.#place), address];
  }
}
