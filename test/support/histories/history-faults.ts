import type { MoneyFound } from './money-found.ts';
import { orderFaults, type Told } from './order-faults.ts';

/** Blue mugs that a tenant has to begin with. */
const mugs = 1_000_000;

/** What must hold of money, whatever has happened. @returns what does not, a sentence each */
export function historyFaults(found: MoneyFound, told: readonly Told[]): readonly string[] {
  const each = told.flatMap((one) =>
    orderFaults(one, {
      effects: found.effects,
      order: found.orders.find((order) => order.operation_id === one.id),
      facts: found.facts,
    }).map((fault) => `${one.key}: ${fault} (${JSON.stringify(one.history)})`),
  );
  return [...each, ...wholeFaults(found)];
}

/** Of all of them together: stock, the provider's balance, and differences that nobody can explain. */
function wholeFaults({
  effects,
  balance,
  orders,
  receivable,
  mugs: { stock, sold },
  unseen,
  differences,
}: MoneyFound): readonly string[] {
  const faults: string[] = [];
  if (stock + sold !== mugs) faults.push(`${stock} in stock and ${sold} sold are not what there was`);
  if (receivable !== balance) faults.push(`the provider has ${balance} for us, and our books say ${receivable}`);
  if (unseen.length > 0) faults.push(`the provider's ledger does not show ${JSON.stringify(unseen)}`);
  const failed = effects.filter(({ type }) => type === 'refund.failed');
  // A released order's failed refund is money that is held, too.
  const odd = differences.filter(({ kind }) => kind !== 'refund-failed' && kind !== 'money-held');
  if (odd.length > 0) faults.push(`differences: ${JSON.stringify(odd)}`);
  const told = differences.filter(({ kind }) => kind === 'refund-failed').length;
  if (told !== failed.length)
    faults.push(`${failed.length} refunds have failed, and a person is told of ${JSON.stringify(differences)}`);
  if (orders.some(({ state }) => state === 'pending' || state === 'cancelling'))
    faults.push('an order is still under way, and no operation');
  return faults;
}
