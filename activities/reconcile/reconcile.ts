import { hours, seconds } from '../../workflows/operation/duration.ts';
import type { PaymentProvider } from '../stores/payments/payment-provider.ts';
import { bookMovements } from '../stores/postgres/money/book-facts.ts';
import { findDifferences } from '../stores/postgres/money/differences.ts';
import { beginPass, endPass, type PassCounts } from '../stores/postgres/money/money-pass.ts';
import type { Database } from '../stores/postgres/database.ts';

/** A page of a hundred movements takes a provider a second on a bad day. Milliseconds. */
const pageTimeout = seconds(30);

/** A provider's ledger shows a movement within minutes; a younger one that it does not show yet is no difference. */
const usualLateness = hours(1);

type Parts = {
  /** Sees all tenants, since one account may serve several. */
  readonly database: Database;
  readonly provider: PaymentProvider;
};

type Asked = {
  /** ISO 8601. By default a day before the point up to which everything has been compared. */
  readonly from?: string | undefined;
  /** Milliseconds. */
  readonly late?: number;
  /** Called after each page. @throws to stop */
  readonly progress?: (counts: PassCounts) => void;
};

export type Reconciled = PassCounts & { readonly from: string };

/**
 * Compares our books with the provider's ledger, page by page: what it has and we have not is booked, and what does not add
 * up is listed for a person. It mends rows, and never moves money. Repeatable, also beside itself.
 */
export async function reconcile(
  { database, provider }: Parts,
  { from: wanted, late = usualLateness, progress = () => undefined }: Asked = {},
): Promise<Reconciled> {
  const { id, from } = await beginPass(database, provider.name, wanted);
  let counts: PassCounts = { movements: 0, booked: 0, unassigned: 0 };
  for await (const facts of provider.movements(from, { timeout: pageTimeout })) {
    const page = await bookMovements(database, { provider: provider.name, facts });
    // A charge says whose it is. Only what was made at the provider has to be looked up.
    const foreign = new Set(
      facts.flatMap(({ kind, origin, object }) => (kind === 'captured' && !origin ? [object] : [])),
    );
    const unknown = page.unresolved.filter((payment) => !foreign.has(payment));
    const found = await resolve({ database, provider }, unknown, () => progress(counts));
    counts = {
      movements: counts.movements + facts.length,
      booked: counts.booked + page.booked + found.booked,
      unassigned: counts.unassigned + page.unassigned + found.unassigned + page.unresolved.length - unknown.length,
    };
    progress(counts);
  }
  await findDifferences(database, provider.name, from, late);
  await endPass(database, id, counts);
  return { from, ...counts };
}

/** A refund that somebody has made at the provider does not say whose it is. Its payment does. */
async function resolve(
  { database, provider }: Parts,
  payments: readonly string[],
  progress: () => void,
): Promise<Pick<PassCounts, 'booked' | 'unassigned'>> {
  let [booked, unassigned] = [0, 0];
  for (const payment of payments) {
    progress();
    const facts = await provider.money(payment, undefined, { timeout: pageTimeout });
    if (facts === undefined) unassigned += 1;
    else booked += (await bookMovements(database, { provider: provider.name, facts })).booked;
  }
  return { booked, unassigned };
}
