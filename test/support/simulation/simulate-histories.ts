import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import pg from 'pg';
import pLimit from 'p-limit';
import { seedCatalogue } from '../../../activities/stores/postgres/orders/seed-catalogue.ts';
import { registrations } from '../../../workers/registrations.ts';
import { books } from '../../../workflows/books.ts';
import { cancellation } from '../../../workflows/cancellation.ts';
import { checkout } from '../../../workflows/checkout.ts';
import { days } from '../../../workflows/operation/duration.ts';
import { refund } from '../../../workflows/refund.ts';
import { databaseNamed, dropDatabase } from '../database-named.ts';
import type { Ground } from '../global-setup.ts';
import { type Breaks, type Course, simulateHistory, type SimulatedGround } from './simulate-history.ts';
import { giveVirtualTime, OneTenantsDatabase, SimulatedDatabase } from './simulated-database.ts';
import { simulatedHistory, type SimulatedHistory } from './simulated-history.ts';

/** Histories side by side: enough that PostgreSQL and this process always have something to do. */
const atOnce = 6;
/** The first history's beginning, and the time between two. Whatever looks a week back finds one history. */
const [first, apart] = [Date.UTC(2030, 0, 1), days(20)];
/** Runs in which a smaller history is looked for that fails as well. */
const shrinks = 150;

type Wanted = {
  readonly seed: number;
  readonly count: number;
  /** Only this one, by its number. */
  readonly only?: number | undefined;
};

/** Histories in a database of their own. */
export class Simulation {
  readonly #ground: SimulatedGround;
  readonly #breaks: Breaks;
  readonly #close: () => Promise<void>;
  #begun = 0;

  private constructor(ground: SimulatedGround, breaks: Breaks, close: () => Promise<void>) {
    this.#ground = ground;
    this.#breaks = breaks;
    this.#close = close;
  }

  /** @param breaks what is broken on purpose; `sql` breaks the ledger */
  static async create(
    { postgresUrl, template }: Ground,
    breaks: Breaks & { readonly sql?: string } = {},
  ): Promise<Simulation> {
    const name = `simulation_${randomBytes(4).toString('hex')}`;
    const url = await databaseNamed(postgresUrl, name, template);
    await giveVirtualTime(url);
    const pool = new pg.Pool({ connectionString: url, max: atOnce });
    // The database is dropped while its last connections close.
    pool.on('error', () => undefined);
    if (breaks.sql !== undefined) await pool.query(breaks.sql);
    const database = new SimulatedDatabase(url, 'hapax_app', 2 * atOnce);
    const upkeep = new OneTenantsDatabase(url, 'hapax_app', atOnce);
    const reconciler = new SimulatedDatabase(url, 'hapax_upkeep', atOnce);
    const told = [checkout, refund, cancellation, books].map(({ flow }) => flow);
    const sql = async <R extends object>(text: string, ...values: unknown[]) =>
      (await pool.query<R>(text, values)).rows;
    const ground = { database, upkeep, reconciler, registrations: await registrations(told), sql };
    return new Simulation(ground, breaks, async () => {
      await Promise.all([database.close(), upkeep.close(), reconciler.close(), pool.end()]);
      await dropDatabase(postgresUrl, name);
    });
  }

  /** Runs the histories of a seed. @returns what is wrong with the first that fails, in its smallest form, and how to run it again */
  async run({ seed, count, only }: Wanted): Promise<readonly string[]> {
    const failed = await this.firstFailing(seed, count, only);
    return failed === undefined ? [] : await this.#smallest(seed, failed);
  }

  /** @returns the number of the first history that fails, if one does */
  async firstFailing(seed: number, count: number, only?: number): Promise<number | undefined> {
    const histories = fc.sample(simulatedHistory, { seed, numRuns: only === undefined ? count : only + 1 });
    const turn = pLimit(atOnce);
    let failed: number | undefined;
    const tell = async (history: SimulatedHistory, n: number) => {
      if (failed !== undefined || (only !== undefined && n !== only)) return;
      const { faults } = await this.course(history);
      if (faults.length > 0) failed = Math.min(n, failed ?? n);
    };
    await Promise.all(histories.map((history, n) => turn(() => tell(history, n))));
    return failed;
  }

  /** Asks the ledger, of all histories. */
  get sql(): SimulatedGround['sql'] {
    return this.#ground.sql;
  }

  /** Runs one history. */
  async course(history: SimulatedHistory): Promise<Course> {
    this.#begun += 1;
    const tenant = `t${this.#begun}`;
    const begins = first + this.#begun * apart;
    const { text, values } = seedCatalogue([tenant]);
    await this.#ground.sql(text, ...values);
    return await simulateHistory(this.#ground, history, { tenant, begins, breaks: this.#breaks });
  }

  async close(): Promise<void> {
    await this.#close();
  }

  async #smallest(seed: number, n: number): Promise<readonly string[]> {
    let found: { readonly history: SimulatedHistory; readonly faults: readonly string[] } | undefined;
    let runs = 0;
    const holds = async (history: SimulatedHistory) => {
      runs += 1;
      // The smallest so far is shown.
      if (runs > shrinks) return true;
      const { faults } = await this.course(history);
      if (faults.length > 0) found = { history, faults };
      return faults.length === 0;
    };
    await fc.check(fc.asyncProperty(simulatedHistory, holds), { seed, path: String(n), numRuns: 1 });
    if (found === undefined) return [`history ${n} of seed ${seed} failed once, and not again`];
    return [
      `HAPAX_HISTORY_SEED=${seed} HAPAX_HISTORY=${n} npx vitest run test/faults/simulated-histories.test.ts`,
      JSON.stringify(found.history),
      ...found.faults,
    ];
  }
}
