import type { Database, Statement } from '../../activities/stores/postgres/database.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import { stepBegun } from './boundaries/step-statements.ts';

/** What is lost on its way: the request, or the answer after the effect. */
export type Loss = 'before the effect' | 'after the effect';

/** One worker's connection to PostgreSQL, which a test can cut for a single row step of an operation, and heal again. */
export class FaultyLedger {
  readonly #cut = new Map<string, { readonly loss: Loss; met: boolean }>();

  cut(operation: string, step: string, loss: Loss): void {
    this.#cut.set(`${operation} ${step}`, { loss, met: false });
  }

  /** Whether a try of the step has met the cut. */
  met(operation: string, step: string): boolean {
    return this.#cut.get(`${operation} ${step}`)?.met === true;
  }

  heal(operation: string, step: string): void {
    this.#cut.delete(`${operation} ${step}`);
  }

  around(database: Database): Database {
    const flush: Database['flush'] = async (tenant, ...statements) => {
      const cut = this.#cut.get(stepOf(statements));
      if (cut === undefined) return await database.flush(tenant, ...statements);
      if (cut.loss === 'after the effect') await database.flush(tenant, ...statements).catch(() => undefined);
      cut.met = true;
      throw new LedgerFault('unavailable', 'The connection was lost');
    };
    return new Proxy(database, {
      get(target, member) {
        if (member === 'flush') return flush;
        const value = Reflect.get(target, member, target) as unknown;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }
}

/** The step that these statements try, by the operation's id and its name. */
function stepOf(statements: readonly Statement[]): string {
  const about = statements.map(stepBegun).find((one) => one !== undefined);
  return `${about?.operation} ${about?.step}`;
}
