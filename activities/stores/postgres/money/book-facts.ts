import type { Environment } from '../../../../workflows/operation/key.ts';
import type { MoneyFact } from '../../payments/money-fact.ts';
import type { Database } from '../database.ts';

export type Told = {
  /** The provider's name. */
  readonly provider: string;
  readonly facts: readonly MoneyFact[];
};

/** The facts as `book_facts()` takes them. @param environment where an event says it; otherwise the money does */
export function toldFacts(facts: readonly MoneyFact[], environment?: Environment): string {
  return JSON.stringify(
    facts.map(({ origin, live, ...fact }) => ({
      ...fact,
      tenant: origin?.tenant ?? null,
      order: origin?.order ?? null,
      operation: origin?.operation ?? null,
      environment: environment ?? (live ? 'live' : 'test'),
    })),
  );
}

type Booked = {
  /** Facts that were not booked before. */
  readonly booked: number;
  /** Payments of which nothing here says whose they are. */
  readonly unresolved: readonly string[];
  /** Movements of no payment, and of nothing here. */
  readonly unassigned: number;
};

const text = 'select booked, unresolved, unassigned from book_facts($1, $2, true)';

/** Books what the provider's own ledger shows. @param database sees all tenants */
export async function bookMovements(database: Database, { provider, facts }: Told): Promise<Booked> {
  const values = [provider, toldFacts(facts)];
  const [rows] = await database.flush(null, { name: 'book_movements', text, values });
  const [row] = rows ?? [];
  return {
    booked: Number(row?.booked),
    unresolved: row?.unresolved as string[],
    unassigned: Number(row?.unassigned),
  };
}
