import { seconds } from '../../../workflows/operation/duration.ts';
import { Doubtful } from '../../../activities/stores/outcomes/doubtful.ts';
import { HeldBack } from '../../../activities/stores/outcomes/held-back.ts';
import { LedgerFault } from '../../../activities/stores/postgres/ledger-fault.ts';
import { type Host, placeNow, type VirtualTime } from './virtual-time.ts';

/** Something that goes wrong at a boundary, which are counted from the beginning of a history. */
export type Harm = {
  /** Those of workers, or those of callers and upkeep: to these, PostgreSQL can only be away. */
  readonly of: 'workers' | 'others';
  readonly at: number;
  readonly does: /** The worker dies. */
    | 'dies'
    /** The worker stands still for `lasts` and then goes on, whatever has become of its work meanwhile. */
    | 'freezes'
    /** Temporal forgets what the worker tells, which goes on until it hears of that. */
    | 'is forgotten'
    /** The other side is away: before the call nothing has happened, behind it the answer is lost. */
    | 'fails'
    /** What was sent to the provider arrives after `lasts`, when nobody waits for it any more. */
    | 'comes late';
  /** Milliseconds. */
  readonly lasts: number;
};

/** Before and behind each transaction of the ledger, each call of the provider, and before our own guard. */
type Boundary = 'ledger' | 'ledger answers' | 'provider' | 'provider answers' | 'guard';

/** Counts the boundaries that a history passes, and does its harms there. */
export class Harms {
  readonly #planned: ReadonlyMap<string, Harm>;
  readonly #forget: (host: Host) => void;
  readonly #passed = { workers: 0, others: 0 };
  #over = false;

  /** @param forget has Temporal forget what a worker tells */
  constructor(planned: readonly Harm[], forget: (host: Host) => void) {
    this.#planned = new Map(planned.map((harm) => [`${harm.of} ${harm.at}`, harm]));
    this.#forget = forget;
  }

  /** How many boundaries were passed. */
  get passed(): number {
    return this.#passed.workers + this.#passed.others;
  }

  /** From now on nothing goes wrong. */
  end(): void {
    this.#over = true;
  }

  /** @returns after how long the call arrives at the provider, where that is later than its caller waits. Milliseconds */
  async pass(time: VirtualTime, boundary: Boundary): Promise<number | undefined> {
    await time.turn();
    if (this.#over) return undefined;
    const { host } = placeNow()?.strand ?? {};
    const of = host === undefined ? 'others' : 'workers';
    this.#passed[of] += 1;
    const harm = this.#planned.get(`${of} ${this.#passed[of]}`);
    if (harm === undefined) return undefined;
    if (host === undefined) throw failureAt(boundary);
    switch (harm.does) {
      case 'dies':
        host.dead = true;
        return await time.vanish();
      case 'is forgotten':
        this.#forget(host);
        return undefined;
      case 'freezes':
        host.thawsAt = time.now + harm.lasts;
        await time.turn();
        return undefined;
      case 'comes late':
        if (boundary === 'provider') return harm.lasts;
        throw failureAt(boundary);
      case 'fails':
        throw failureAt(boundary);
    }
  }
}

function failureAt(boundary: Boundary): Error {
  switch (boundary) {
    case 'ledger':
    case 'ledger answers':
      return new LedgerFault('unavailable', 'PostgreSQL cannot be reached, says the simulation');
    case 'provider':
    case 'provider answers':
      return new Doubtful('The payment provider gave no usable answer.');
    case 'guard':
      return new HeldBack('The payment provider is left alone for a moment. Nothing was sent.', seconds(2));
  }
}
