import type { Database, Row, Statement, Transaction } from '../../../activities/stores/postgres/database.ts';
import type { Boundaries } from './boundaries.ts';
import { doing } from './doing.ts';
import { stepBegun, stepsEnded, undoBegun, waitBegun } from './step-statements.ts';

/**
 * A worker's ledger with boundaries that any step passes, whatever its flow: `{step}:before-effect`, `:after-effect` and
 * `:after-record`, and the same of `{step}.undo`. An effect of rows that leaves with its commit is torn from it. An effect
 * outside is about to happen once `sent` is committed, and its record rides in a later transaction.
 */
export function watchedDatabase(database: Database, faults: Boundaries): Database {
  const flush: Database['flush'] = async (tenant, ...statements) => {
    const about = doing.getStore();
    if (about === undefined || tenant === null) return await database.flush(tenant, ...statements);
    const { operation, name } = about;
    const reach = (point: string) => faults.reach(operation, `${name}:${point}`);
    await faults.stands(operation);
    const moves = statements.flatMap(moveOf);
    for (const move of moves) await faults.reach(operation, `${move}:before-record`);
    const begins = statements.findIndex(beginsSomething);
    const torn = begins >= 0 && begins < statements.length - 1;
    if (torn) await reach('before-effect');
    const rows = torn
      ? await database.transaction(tenant, statements, async (_tx, opened) => {
          await reach('after-effect');
          return { value: opened, closing: [] };
        })
      : await database.flush(tenant, ...statements);
    await recorded(faults, operation, statements);
    if (torn) await reach('after-record');
    for (const move of moves) await faults.reach(operation, `${move}:after-record`);
    if (begins >= 0 && !torn) await reach('before-effect');
    return rows;
  };
  const transaction = async <T>(
    tenant: string,
    opening: readonly Statement[],
    work: (tx: Transaction, opened: Row[][]) => Promise<{ value: T; closing: readonly Statement[] }>,
  ): Promise<T> => {
    const about = doing.getStore();
    if (about === undefined) return await database.transaction(tenant, opening, work);
    const { operation, name } = about;
    await faults.reach(operation, `${name}:before-effect`);
    let closed: readonly Statement[] = [];
    const value = await database.transaction(tenant, opening, async (tx, opened) => {
      const worked = await work(tx, opened);
      closed = worked.closing;
      await faults.reach(operation, `${name}:after-effect`);
      return worked;
    });
    await recorded(faults, operation, [...opening, ...closed]);
    if (closed.some((statement) => statement.name === 'record_result'))
      await faults.reach(operation, `${name}:after-record`);
    return value;
  };
  return new Proxy(database, {
    get(target, member) {
      if (member === 'flush') return flush;
      if (member === 'transaction') return transaction;
      const value = Reflect.get(target, member, target) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Moves of the ledger that are no step's. */
function moveOf({ name }: Statement): string[] {
  switch (name) {
    case 'take':
    case 'settle':
      return [name];
    case 'turn_to_compensating':
      return ['compensate'];
    default:
      return [];
  }
}

function beginsSomething(statement: Statement): boolean {
  return [stepBegun, undoBegun, waitBegun].some((begun) => begun(statement) !== undefined);
}

async function recorded(faults: Boundaries, operation: string, statements: readonly Statement[]): Promise<void> {
  for (const { step, state } of statements.flatMap(stepsEnded)) {
    const undoing = state === 'undone' || state === 'undo_failed';
    await faults.reach(operation, `${undoing ? `${step}.undo` : step}:after-record`);
  }
}
