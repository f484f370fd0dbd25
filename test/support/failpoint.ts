import { writeSync } from 'node:fs';
import type Stripe from 'stripe';
import type { Database, Row, Statement, Transaction } from '../../activities/stores/postgres/database.ts';
import type { Ports } from '../../workers/operations.ts';
import { stepBegun, stepsEnded, undoBegun, waitBegun } from './step-statements.ts';

/**
 * Named boundaries that a worker's calls to the outside pass, seen from its ports. Steps: `{step}:before-effect`,
 * `:after-effect`, `:after-record`; undos: `{step}.undo:…`; the ledger's moves: `take`, `compensate`, `settle` with
 * `:before-record` and `:after-record`. An outside step is recorded by the operation's next ledger transaction.
 */
export type Reach = (point: string) => Promise<void>;

/** What happens to the process at its boundary. A frozen one goes on from there when it is thawed. */
export type Harm = 'kill' | 'freeze';

/** @returns a reach that harms this process at `point`, the first time it comes there */
export function harmAt(point: string, harm: Harm): Reach {
  let done = false;
  return async (reached) => {
    if (done || reached !== point) return;
    done = true;
    // Synchronous, so that it is out before the signal: a test reads when the boundary was reached.
    writeSync(1, `reached ${point}\n`);
    process.kill(process.pid, harm === 'kill' ? 'SIGKILL' : 'SIGSTOP');
    // The signal may be taken by another thread a few microseconds later: nothing of ours runs until then.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  };
}

export function watchedPorts(ports: Ports, reach: Reach): Ports {
  const undone = new Set<string>();
  const database = watchedDatabase(ports.database, reach, undone);
  return { ...ports, database, stripe: watchedStripe(ports.stripe, reach, undone) };
}

function watchedDatabase(database: Database, reach: Reach, undone: Set<string>): Database {
  const moves = (statements: readonly Statement[]) => statements.flatMap(moveOf);
  const noteUndos = (statements: readonly Statement[]) => {
    for (const { step } of statements.map(undoBegun).filter((about) => about !== undefined)) undone.add(step);
  };
  const flush: Database['flush'] = async (tenant, ...statements) => {
    for (const move of moves(statements)) await reach(`${move}:before-record`);
    const effect = effectOf(statements);
    const rows =
      effect === undefined || tenant === null
        ? await database.flush(tenant, ...statements)
        : await torn(effect, tenant, statements);
    noteUndos(statements);
    const passed = [...recorded(statements), ...(effect === undefined ? [] : [effect]), ...moves(statements)];
    for (const what of passed) await reach(`${what}:after-record`);
    return rows;
  };
  /** An effect of rows leaves with its commit; here the two are torn apart, as a network may. */
  const torn = async (effect: string, tenant: string, statements: readonly Statement[]): Promise<Row[][]> => {
    await reach(`${effect}:before-effect`);
    return await database.transaction(tenant, statements, async (_, opened) => {
      await reach(`${effect}:after-effect`);
      return { value: opened, closing: [] };
    });
  };
  const transaction = async <T>(
    tenant: string,
    opening: readonly Statement[],
    work: (tx: Transaction, opened: Row[][]) => Promise<{ value: T; closing: readonly Statement[] }>,
  ): Promise<T> => {
    const name = transactionName(opening);
    let closed: readonly Statement[] = [];
    const value = await database.transaction(tenant, opening, async (tx, opened) => {
      await reach(`${name}:before-effect`);
      const worked = await work(tx, opened);
      closed = worked.closing;
      await reach(`${name}:after-effect`);
      return worked;
    });
    for (const what of recorded([...opening, ...closed])) await reach(`${what}:after-record`);
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

/** The step whose effect rides behind its beginning, in the same flush. */
function effectOf(statements: readonly Statement[]): string | undefined {
  const steps = statements.map((statement) => stepBegun(statement)?.step);
  const begin = steps.findIndex((step) => step !== undefined);
  return begin === steps.length - 1 ? undefined : steps[begin];
}

/** Ledger moves that are no step. */
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

function transactionName(opening: readonly Statement[]): string {
  for (const statement of opening) {
    const [tried, wait, undo] = [stepBegun(statement), waitBegun(statement), undoBegun(statement)];
    if (tried !== undefined) return tried.step;
    if (wait !== undefined) return wait.step;
    if (undo !== undefined) return `${undo.step}.undo`;
  }
  return 'unnamed';
}

function recorded(statements: readonly Statement[]): string[] {
  const own = statements.filter(({ name }) => name === 'record_result').map(({ values }) => String(values[1]));
  const others = statements
    .flatMap(stepsEnded)
    .map(({ step, state }) => (state === 'undone' || state === 'undo_failed' ? `${step}.undo` : step));
  return [...own, ...others];
}

/** Which step makes a call of the provider's client. */
const callers: Readonly<Record<string, string>> = {
  create: 'openPayment',
  confirm: 'authorise',
  capture: 'capture',
  cancel: 'openPayment.undo',
};

function watchedStripe(stripe: Stripe, reach: Reach, undone: ReadonlySet<string>): Stripe {
  const paymentIntents = new Proxy(stripe.paymentIntents, {
    get(target, member) {
      const value = Reflect.get(target, member, target) as unknown;
      if (typeof value !== 'function') return value;
      const caller = callers[String(member)];
      if (caller === undefined) return value.bind(target) as unknown;
      return async (...given: unknown[]): Promise<unknown> => {
        // An undo asks for the intent again, to learn its id.
        const name = member === 'create' && undone.has('openPayment') ? 'openPayment.undo.learn' : caller;
        await reach(`${name}:before-effect`);
        try {
          return await (value as (...all: unknown[]) => Promise<unknown>).apply(target, given);
        } finally {
          await reach(`${name}:after-effect`);
        }
      };
    },
  });
  return new Proxy(stripe, {
    get: (target, member) =>
      member === 'paymentIntents' ? paymentIntents : (Reflect.get(target, member, target) as unknown),
  });
}
