import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Row, Statement, Transaction } from '../database.ts';
import { silence } from '../ground/session.ts';
import { LedgerFault, ledgerFault } from '../ledger-fault.ts';
import { Refused } from '../../outcomes/refused.ts';
import { type RowClient, StepQueries } from './row-client.ts';

/** The transaction, and the tenant and role that it acts for. */
const identity: Statement = {
  name: 'transaction_identity',
  text: `select pg_current_xact_id()::text as id, current_user as role, current_setting('hapax.tenant') as tenant`,
  values: [],
};

/**
 * Runs a step's own queries inside a transaction of the ledger. At their end it proves that each of them has ended,
 * and that the transaction is still the same one and has not failed. Only then may the ledger record the step and
 * commit.
 * @throws Refused as `work` does; the transaction may then have failed
 * @throws LedgerFault for a query that failed, even where `work` has swallowed the error
 */
export async function ownQueries<T>(tx: Transaction, work: (client: RowClient) => Promise<T>): Promise<T> {
  const queries = new StepQueries((config) => tx.query(config));
  // It is sent together with the step's first query.
  const before = tx.run(identity);
  before.catch(() => undefined);
  try {
    const given = await inTime(work(queries.client));
    queries.ending();
    // A query builder sends a query a few promises later, but within one turn of the event loop.
    await setImmediate();
    queries.expectAwaited();
    if (queries.failure !== undefined) throw queries.failure;
    expectSame(await before, await tx.run(identity));
    return given;
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw queries.failure === undefined ? error : ledgerFault(queries.failure);
  } finally {
    queries.ended();
  }
}

/** PostgreSQL ends a transaction that is idle for too long. Code that never returns would still keep the connection. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = setTimeout(silence, undefined, { signal: over.signal }).then(() => {
    throw new LedgerFault('broken', `The code of a row step has not returned within ${silence} ms.`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
    late.catch(() => undefined);
  }
}

function expectSame(before: Row[][], after: Row[][]): void {
  for (const what of ['id', 'role', 'tenant'])
    if (before[0]?.[0]?.[what] !== after[0]?.[0]?.[what])
      throw new LedgerFault('broken', `A row step has left the ledger's transaction: its ${what} is another one.`);
}
