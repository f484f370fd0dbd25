import pg from 'pg';
import { Database, type Row, type Statement, type Transaction } from '../../../activities/stores/postgres/database.ts';
import type { Harms } from './harms.ts';
import { placeNow, type VirtualTime } from './virtual-time.ts';

/**
 * PostgreSQL's `now()` for statements, functions, triggers and defaults of one database. The setting is that of the
 * transaction; without it time is real. PostgreSQL inlines the body, since it would call a function of this number without
 * looking here; only an SQL function that is not strict is inlined.
 */
const clock = `
create or replace function pg_catalog.now() returns timestamptz language sql stable parallel safe called on null input
return coalesce(nullif(current_setting('simulation.now', true), '')::timestamptz, transaction_timestamp())`;

/** By what histories are told apart: they share tables, and none should read what another has written. */
const indexes = ['money_fact', 'money_difference', 'customer_order', 'catalogue_item', 'operation'].map(
  (table) => `create index on hapax.${table} (tenant)`,
);

/**
 * Lets the time of a database be virtual.
 * @param url of a superuser
 */
export async function giveVirtualTime(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(clock);
    for (const index of indexes) await client.query(index);
    // Nobody reads it after the run.
    await client.query(`alter database ${client.escapeIdentifier(client.database ?? '')} set synchronous_commit = off`);
  } finally {
    await client.end();
  }
}

/** The real ledger, in a history's own time. Its transactions are boundaries, where harm is done. */
export class SimulatedDatabase extends Database {
  readonly #harms = new WeakMap<VirtualTime, Harms>();

  /** Does the harms of a history, whose strands alone are harmed. */
  harm(time: VirtualTime, harms: Harms): void {
    this.#harms.set(time, harms);
  }

  override async flush(tenant: string | null, ...statements: Statement[]): Promise<Row[][]> {
    return await this.#crossed(async (begins) => {
      const rows = await super.flush(tenant, ...begins, ...statements);
      return rows.slice(begins.length);
    });
  }

  override async alone(statement: Statement): Promise<Row[]> {
    return (await this.flush(null, statement))[0] ?? [];
  }

  override async transaction<T>(
    tenant: string,
    opening: readonly Statement[],
    work: (tx: Transaction, opened: Row[][]) => Promise<{ value: T; closing: readonly Statement[] }>,
  ): Promise<T> {
    return await this.#crossed(
      async (begins) =>
        await super.transaction(tenant, [...begins, ...opening], (tx, opened) => work(tx, opened.slice(begins.length))),
    );
  }

  async #crossed<T>(work: (begins: readonly Statement[]) => Promise<T>): Promise<T> {
    const time = placeNow()?.time;
    if (time === undefined) return await work([]);
    const harms = this.#harms.get(time);
    await harms?.pass(time, 'ledger');
    const value = await work([nowIs(time.now)]);
    await harms?.pass(time, 'ledger answers');
    return value;
  }
}

/** Upkeep sees all tenants. This sees those of one history, so that histories do not look after each other. */
export class OneTenantsDatabase extends SimulatedDatabase {
  override async flush(tenant: string | null, ...statements: Statement[]): Promise<Row[][]> {
    return await super.flush(tenant ?? placeNow()?.time.owner ?? null, ...statements);
  }
}

function nowIs(time: number): Statement {
  return {
    name: 'now_is',
    text: "select set_config('simulation.now', $1, true)",
    values: [new Date(time).toISOString()],
  };
}
