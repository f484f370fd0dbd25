import type { Database } from '../../activities/stores/postgres/database.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import { type SeenRequest, recordSeenRequests } from '../../activities/stores/postgres/ledger/record-seen-requests.ts';

/**
 * Long enough to fill a batch, and short enough that an operator who searches by request id finds a request of a moment
 * ago. Milliseconds.
 */
const interval = 1_000;
/** Requests for one operation that get a row each in a batch. A flood beyond that is counted in one row. */
const apart = 20;
/**
 * A batch that cannot be written is kept, up to this many rows. The oldest rows are dropped first, since answers matter
 * more.
 */
const kept = 10_000;

/** Records every request seen for an operation, in batches, off the path of the answers. */
export class SeenRequests {
  #rows: SeenRequest[] = [];
  #seen = new Map<string, number>();
  #writing = Promise.resolve();
  readonly #database: Database;
  readonly #timer: NodeJS.Timeout;

  constructor(database: Database) {
    this.#database = database;
    this.#timer = setInterval(() => {
      this.#writing = this.#flush();
    }, interval);
    this.#timer.unref();
  }

  add(request: Omit<SeenRequest, 'at' | 'times'>): void {
    const name = `${request.operation} ${request.decision} ${request.layer}`;
    const count = (this.#seen.get(name) ?? 0) + 1;
    this.#seen.set(name, count);
    // A backend service passes on the User-Agent of its own caller, and PostgreSQL stores no NUL.
    const userAgent = request.userAgent?.replaceAll('\0', '').slice(0, 200) ?? null;
    const { browser, device, network } = request;
    const client = { browser: word(browser), device: word(device), network: word(network) };
    if (count <= apart) this.#rows.push({ ...request, ...client, userAgent, at: new Date(), times: 1 });
  }

  async #flush(): Promise<void> {
    if (this.#rows.length === 0) return;
    const seen = this.#seen;
    const rows = this.#rows.map((row) => {
      const name = `${row.operation} ${row.decision} ${row.layer}`;
      const beyond = (seen.get(name) ?? 0) - apart;
      if (beyond <= 0) return row;
      seen.set(name, 0);
      return { ...row, times: row.times + beyond };
    });
    this.#rows = [];
    this.#seen = new Map();
    await recordSeenRequests(this.#database, rows).catch((error: unknown) => {
      // A batch that PostgreSQL refuses would block every later one.
      if (error instanceof LedgerFault && error.code !== 'unavailable') return;
      this.#rows = [...rows, ...this.#rows].slice(-kept);
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#writing;
    await this.#flush();
  }
}

/** As the ledger takes it: a row that it refuses would take its batch along. */
function word(said: string): string {
  return /^[a-z0-9-]{1,12}$/.test(said) ? said : 'other';
}
