import { randomUUID } from 'node:crypto';
import { days, hours, minutes } from '../../workflows/operation/duration.ts';
import type { Database } from '../stores/postgres/database.ts';
import {
  advanceSweep,
  type BegunBy,
  type Counts,
  endSweep,
  letGoSweep,
  nothing,
  type SweepPass,
  takeSweep,
} from '../stores/postgres/sweeps/sweep-pass.ts';
import { endTrouble, keepTrouble } from '../stores/postgres/sweeps/sweep-record.ts';
import type { ObjectStore } from '../stores/s3/object-store.ts';
import { leftoverContents } from './leftover-contents.ts';
import { leftoverMultiparts } from './leftover-multiparts.ts';
import { leftoverObjects } from './leftover-objects.ts';
import { beat, type Standing, standingOf } from './ledger-standing.ts';
import type { Finding, SweepReach, SweepStage } from './sweep-stage.ts';

/** From the beginning of one pass to that of the next: a day old is what it removes, so nothing waits for two. */
const every = days(1);
/**
 * What is younger may still get its row. Rows come before their objects, so that a minute would do; a day also covers
 * clocks that differ by hours, and leaves a person time to notice a wrong setting.
 */
const minAge = hours(24);
/** A page takes about a second. A process that has not finished one in this time has died, and another continues. */
const lease = minutes(2);

/** Pages between two looks at whether the ledger still has all its rows. */
const pagesOfOneJudgement = 20;

const stages: readonly SweepStage[] = [...leftoverObjects, leftoverMultiparts, leftoverContents];

type SweepStores = { readonly database: Database; readonly objects: ObjectStore };

/** Passes over the bucket. One process works on a pass at a time, and each page is kept. */
export class BucketSweep {
  readonly #stores: SweepStores;
  readonly #holder = randomUUID();
  readonly #found: (finding: Finding) => void;

  constructor(stores: SweepStores, found: (finding: Finding) => void = () => undefined) {
    this.#stores = stores;
    this.#found = found;
  }

  /**
   * Works on the pass that is due, or on the one that stands open.
   * @param pages how many pages it looks at before it lets others go on
   * @returns the pass if it has ended, or where it stands; undefined where none is due, or another process works on it
   */
  async work(how: {
    readonly by: BegunBy;
    /** Whether it begins at the beginning now, due or not. */
    readonly anew: boolean;
    readonly pages: number;
    readonly stopping: () => boolean;
  }): Promise<SweepPass | undefined> {
    const { database, objects } = this.#stores;
    const taken = await takeSweep(database, this.#holder, { ...how, every, lease });
    if (taken === undefined) return undefined;
    let pass: SweepPass = taken;
    let standing = await beat(database, objects);
    for (let page = 0; page < how.pages && !how.stopping(); page += 1) {
      // A pass may take hours, and another server may take over meanwhile.
      if (page > 0 && page % pagesOfOneJudgement === 0) standing = await beat(database, objects);
      const next = await this.#page(pass, standing);
      if (next === 'taken-over') return undefined;
      if (next === 'ended') return await endSweep(database, this.#holder, pass.id);
      pass = next;
    }
    await letGoSweep(database, this.#holder, pass.id);
    return pass;
  }

  async #page(pass: SweepPass, standing: Standing): Promise<SweepPass | 'ended' | 'taken-over'> {
    const at = Math.max(
      stages.findIndex(({ name }) => name === pass.stage),
      0,
    );
    const stage = stages[at] as SweepStage;
    const { after, counts } = await this.#looked(stage, standing, pass.after);
    const heldBack = standing.kind === 'ours' ? null : standing.why;
    const next = {
      ...pass,
      stage: after === undefined ? (stages[at + 1]?.name ?? stage.name) : stage.name,
      after: after ?? '',
      heldBack,
      counts: sum(pass.counts, counts),
    };
    if (!(await advanceSweep(this.#stores.database, this.#holder, next, counts, lease))) return 'taken-over';
    return after === undefined && at === stages.length - 1 ? 'ended' : next;
  }

  /** A page that fails is told with what could not be removed, and tried again by whoever goes on. */
  async #looked(stage: SweepStage, standing: Standing, after: string) {
    const { database } = this.#stores;
    try {
      const page = await stage.look(this.#reach(standing, standing.kind === 'ours'), after);
      await endTrouble(database, 'sweep', [stage.name]);
      return page;
    } catch (error) {
      const where = after === '' ? 'at the beginning' : `behind ${after}`;
      await keepTrouble(database, 'sweep', stage.name, `It does not go on ${where}: ${(error as Error).message}`);
      throw error;
    }
  }

  /** Looks at everything, changes nothing, and keeps nothing. `removed` and `bytes` stay 0: see the findings. */
  async look(stopping: () => boolean): Promise<{ readonly counts: Counts; readonly heldBack: string | null }> {
    const standing = await standingOf(this.#stores.database, this.#stores.objects);
    let counts = nothing;
    for (const stage of stages)
      for (let after: string | undefined = ''; after !== undefined && !stopping(); ) {
        const page = await stage.look(this.#reach(standing, false), after);
        counts = sum(counts, page.counts);
        after = page.after;
      }
    return { counts, heldBack: standing.kind === 'ours' ? null : standing.why };
  }

  #reach({ bornAt }: Standing, removes: boolean): SweepReach {
    return { ...this.#stores, removes, minAge, now: Date.now(), bornAt, found: this.#found };
  }
}

function sum(one: Counts, other: Counts): Counts {
  const names = Object.keys(one) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as unknown as Counts;
}
