import type { Logger } from 'pino';
import type { Database, Statement } from '../activities/stores/postgres/database.ts';
import { type Bucket, bucketProof } from '../activities/stores/postgres/ground/bucket-proofs.ts';
import { groundFaultOf, type Proof } from '../activities/stores/postgres/ground/proof.ts';
import { proveServer } from '../activities/stores/postgres/ground/prove-server.ts';
import type { Check } from '../client/http/health/readiness.ts';
import { seconds } from '../workflows/operation/duration.ts';

/** While PostgreSQL cannot be reached, it is tried this often. */
const again = seconds(1);

const anything: Statement = { name: '', text: 'select', values: [] };
const unproved: Check = {
  name: 'server',
  state: 'failed',
  says: 'not proved yet: PostgreSQL could not be reached when this process started. It is tried once a second.',
};

/** What a worker process depends on, proved before the process is ready. */
export class Ground {
  readonly #database: Database;
  readonly #log: Logger;
  readonly #store: Bucket | undefined;
  #server: readonly Proof[] | undefined;
  #retry: NodeJS.Timeout | undefined;
  #fault: string | undefined;

  private constructor(database: Database, store: Bucket | undefined, log: Logger) {
    this.#database = database;
    this.#store = store;
    this.#log = log;
  }

  /**
   * Proves the ground. If PostgreSQL cannot be reached, the process starts all the same, is not ready, and makes the
   * proof once PostgreSQL is back.
   * @param store the bucket that the process uses, if it uses one; the checks show what upkeep has found out about it
   * @throws GroundFault when the proof was tried and failed
   */
  static async prove(database: Database, store: Bucket | undefined, log: Logger): Promise<Ground> {
    const ground = new Ground(database, store, log);
    await ground.#prove(true);
    return ground;
  }

  async #prove(starting: boolean): Promise<void> {
    try {
      this.#server = await proveServer(this.#database);
      this.#fault = undefined;
      sayGround(this.#log, [...this.#database.proofs, ...this.#server, ...(await this.#bucket())]);
    } catch (error) {
      const fault = groundFaultOf(error);
      if (fault !== undefined && starting) throw fault;
      const says = fault?.message ?? (error as Error).message;
      if (says !== this.#fault) this.#log.error(`${says} This process is not ready; it tries again each second.`);
      this.#fault = says;
      this.#retry = setTimeout(() => void this.#prove(false), again).unref();
    }
  }

  /** Asks PostgreSQL each time, since a pooler in between may have changed since the last statement. */
  async checks(): Promise<readonly Check[]> {
    const away = await this.#database.alone(anything).then(
      () => undefined,
      (error: Error) => error.message,
    );
    return [
      away === undefined
        ? { name: 'ledger', state: 'holds', says: 'PostgreSQL answers.' }
        : { name: 'ledger', state: 'failed', says: away },
      ...(this.#server === undefined ? [unproved] : [...this.#database.proofs, ...this.#server]),
      ...(await this.#bucket()),
    ];
  }

  async #bucket(): Promise<readonly Check[]> {
    return this.#store === undefined ? [] : [await bucketProof(this.#database, this.#store)];
  }

  close(): void {
    clearTimeout(this.#retry);
  }
}

/** Logs one line at the start: what was proved and, for what is degraded, what is lost. */
export function sayGround(log: Logger, checks: readonly Check[]): void {
  const lost = checks.filter(({ state }) => state !== 'holds').map(({ name, says }) => `${name}: ${says}`);
  const proved = checks.filter(({ state }) => state === 'holds').map(({ name }) => name);
  const line = `The ground holds: ${proved.join(', ')}`;
  if (lost.length === 0) log.info(line);
  else log.warn(`${line}. Degraded: ${lost.join(' ')}`);
}
