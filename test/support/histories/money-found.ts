import type { Effect } from './effect.ts';

type Sql = <R extends object>(text: string, ...values: unknown[]) => Promise<R[]>;

export type FoundOrder = {
  readonly id: string;
  readonly operation_id: string;
  readonly state: string;
  readonly amount_minor: string;
  readonly given_back_minor: string;
  readonly payment_intent: string | null;
};
export type FoundFact = { readonly order_id: string | null; readonly kind: string; readonly amount_minor: string };

/** What is there when all has come to rest: at the provider, and in our rows of a tenant. */
export type MoneyFound = {
  readonly effects: readonly Effect[];
  /** What the provider has for us, in minor units. */
  readonly balance: number;
  readonly orders: readonly FoundOrder[];
  readonly facts: readonly FoundFact[];
  /** What the provider has for us by our books, in minor units. */
  readonly receivable: number;
  /** Blue mugs that are for sale, and those in orders that stand. */
  readonly mugs: { readonly stock: number; readonly sold: number };
  /** Facts that the provider's ledger has not shown. */
  readonly unseen: readonly { readonly object: string; readonly kind: string }[];
  readonly differences: readonly { readonly kind: string; readonly says: string }[];
};

/** Reads a tenant's rows. */
export async function moneyFound(sql: Sql, tenant: string): Promise<Omit<MoneyFound, 'effects' | 'balance'>> {
  const orders = sql<FoundOrder>(
    'select id, operation_id, state, amount_minor, given_back_minor, payment_intent from hapax.customer_order where tenant = $1',
    tenant,
  );
  const facts = sql<FoundFact & { readonly object: string; readonly seen: boolean }>(
    `select order_id, object, kind, amount_minor, confirmed_at is not null as seen from hapax.money_fact where tenant = $1`,
    tenant,
  );
  const mugs = sql<{ stock: number; sold: string }>(
    `select i.stock, (select coalesce(sum(l.quantity), 0) from hapax.order_line l join hapax.customer_order o on o.id = l.order_id
       where o.tenant = i.tenant and o.state in ('pending', 'paid', 'cancelling')) as sold
     from hapax.catalogue_item i where i.tenant = $1 and i.sku = 'mug-blue' and i.environment = 'test'`,
    tenant,
  );
  const receivable = sql<{ sum: string | null }>(
    `select sum(balance_minor) from hapax.money_balance where tenant = $1 and account = 'receivable' and currency = 'eur'`,
    tenant,
  );
  const differences = sql<{ kind: string; says: string }>(
    'select kind, says from hapax.money_difference where tenant = $1 and ended_at is null',
    tenant,
  );
  const [shelf] = await mugs;
  return {
    orders: await orders,
    facts: await facts,
    receivable: Number((await receivable)[0]?.sum ?? 0),
    mugs: { stock: Number(shelf?.stock), sold: Number(shelf?.sold) },
    unseen: (await facts).filter(({ seen }) => !seen).map(({ object, kind }) => ({ object, kind })),
    differences: await differences,
  };
}
