import { timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type ApiKeyRow, findApiKey, useApiKey } from '../../../activities/stores/postgres/callers/find-api-key.ts';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { LedgerFault } from '../../../activities/stores/postgres/ledger-fault.ts';
import { apiKeyPrefix, hashApiKey } from './api-key.ts';
import type { Caller } from './caller.ts';

/**
 * A revoked key is refused everywhere within a second. This needs no notification, which could be lost: no process
 * trusts a row for longer than this after reading it. It costs one indexed read a second for each key in use.
 * Milliseconds.
 */
const trusted = 800;
/**
 * A look-up that waited for its connection, or for a process that stood still, is older than that when it is there. The next one
 * finds both ready.
 */
const mostLooks = 2;
/** Keys in use at once in one process, unknown prefixes included: a few megabytes at most. */
const most = 10_000;

type Known = { readonly row: ApiKeyRow | undefined; noted: boolean };

/** Identifies callers by their API keys, as the ledger has them now. */
export class ApiKeys {
  readonly #database: Database;
  readonly #log: (message: string, error: unknown) => void;
  /** One look-up at a time for each prefix, however many requests wait for it. */
  readonly #known = new LRUCache<string, Known>({
    max: most,
    ttl: trusted,
    fetchMethod: async (prefix, _, { options }) => {
      for (let looks = 1; looks <= mostLooks; looks += 1) {
        const asked = performance.now();
        const row = await findApiKey(this.#database, prefix);
        // The row is as old as the query. A key may have been revoked while a slow answer was on its way.
        const left = trusted - (performance.now() - asked);
        if (left <= 0) continue;
        options.ttl = Math.max(1, Math.floor(Math.min(left, row?.expiresIn ?? left)));
        return { row, noted: row?.usedLately ?? false };
      }
      throw new LedgerFault('unavailable', `The look-up of an API key took longer than ${trusted} ms`);
    },
  });

  /** @param database a pool of its own, so that no key is refused because requests have taken all connections */
  constructor(database: Database, log: (message: string, error: unknown) => void) {
    this.#database = database;
    this.#log = log;
  }

  /** @throws LedgerFault `unavailable` when the ledger cannot be reached: we cannot tell whether the key is valid */
  identify(bearer: string): Caller | undefined | Promise<Caller | undefined> {
    const prefix = apiKeyPrefix(bearer);
    if (prefix === undefined) return undefined;
    const known = this.#known.get(prefix);
    return known === undefined ? this.#lookUp(prefix, bearer) : this.#callerOf(prefix, bearer, known);
  }

  /** @throws LedgerFault when keys cannot be looked up */
  async check(): Promise<void> {
    await findApiKey(this.#database, '0'.repeat(12));
  }

  async #lookUp(prefix: string, bearer: string): Promise<Caller | undefined> {
    const known = await this.#known.fetch(prefix);
    if (known === undefined) throw new LedgerFault('unavailable', 'The look-up of an API key was given up');
    return this.#callerOf(prefix, bearer, known);
  }

  #callerOf(prefix: string, bearer: string, known: Known): Caller | undefined {
    const { row } = known;
    if (row === undefined || !timingSafeEqual(row.hash, hashApiKey(bearer))) return undefined;
    if (!known.noted) {
      known.noted = true;
      // Not awaited: the request does not depend on it.
      useApiKey(this.#database, prefix).catch((error: unknown) =>
        this.#log('the use of an API key was not recorded', error),
      );
    }
    const { tenant, environment, subject, role } = row;
    return { tenant, environment, subject, role };
  }
}
