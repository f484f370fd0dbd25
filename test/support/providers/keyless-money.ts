import { z } from 'zod';
import type { FactKind, MoneyFact } from '../../../activities/stores/payments/money-fact.ts';
import type { KeylessCall } from './keyless-call.ts';

const origin = z.object({ tenant: z.string(), order: z.string(), operation: z.string() }).partial();

const movement = z.object({
  id: z.string(),
  created: z.number(),
  reporting_category: z.string(),
  fee: z.number(),
  currency: z.string(),
  source: z.object({
    id: z.string(),
    amount: z.number(),
    currency: z.string(),
    payment_intent: z.string().optional(),
    metadata: origin.optional(),
    amount_captured: z.number().optional(),
  }),
});
const movements = z.object({ data: z.array(movement), has_more: z.boolean() });

const kinds: Readonly<Record<string, FactKind>> = {
  charge: 'captured',
  refund: 'refunded',
  refund_failure: 'refund_failed',
  dispute: 'disputed',
  dispute_reversal: 'dispute_won',
  payout: 'paid_out',
};

/** The provider's ledger, a page at a time, the newest first. @param from seconds since 1970 */
export async function* ledgerOf(call: KeylessCall, from: number, timeout: number): AsyncIterable<readonly MoneyFact[]> {
  for (let after = ''; ; ) {
    const path = `/v1/balance_transactions?created[gte]=${from}&limit=50&expand[]=data.source${after}`;
    const { data, has_more: more } = await call.get(path, movements, timeout);
    yield data.flatMap(factsOf);
    if (!more) return;
    after = `&starting_after=${data.at(-1)?.id}`;
  }
}

function factsOf({
  created,
  reporting_category: category,
  fee,
  currency,
  source,
}: z.output<typeof movement>): MoneyFact[] {
  const kind = kinds[category];
  if (kind === undefined) return [];
  const { tenant, order, operation } = source.metadata ?? {};
  const payment = source.payment_intent ?? null;
  const same = {
    object: kind === 'captured' && payment !== null ? payment : source.id,
    payment,
    origin: tenant === undefined ? undefined : { tenant, order, operation },
    live: false,
    at: new Date(created * 1000).toISOString(),
  };
  const moved = { ...same, kind, amount: source.amount_captured ?? source.amount, currency: source.currency };
  return fee === 0
    ? [moved]
    : [moved, { ...same, kind: fee > 0 ? 'fee' : 'fee_returned', amount: Math.abs(fee), currency }];
}
