type Effect = {
  readonly type: string;
  readonly amount: number;
  readonly operation: string | null;
  readonly paymentIntent: string;
};

/** A world, as far as it is looked into. */
type Books = {
  readonly sql: <R extends object>(text: string) => Promise<R[]>;
  /** The provider's book. */
  readonly audit: () => Promise<readonly Effect[]>;
};

type Settled = {
  readonly operation: string;
  readonly ended: string;
  readonly order: string;
  readonly state: string;
  readonly amount: string;
  readonly booked: string;
};
type Refunded = { readonly operation: string; readonly amount: string };
export type Stock = {
  readonly tenant: string;
  readonly environment: string;
  readonly sku: string;
  readonly stock: number;
};

/** What there is of each item, sold and held items included. */
export async function stockOfAll(world: Books): Promise<readonly Stock[]> {
  return await world.sql<Stock>(
    `select i.tenant, i.environment, i.sku, (i.stock + coalesce((
       select sum(l.quantity) from hapax.order_line l join hapax.customer_order o on o.id = l.order_id
       where o.tenant = i.tenant and o.environment = i.environment and l.sku = i.sku
         and o.state in ('pending', 'paid', 'cancelling')), 0))::integer as stock
     from hapax.catalogue_item i order by 1, 2, 3`,
  );
}

/**
 * After every test: the provider's book, ours, the orders and the stock say the same of each checkout and refund that has
 * ended. What is still under way is left alone.
 * @param before what there was of each item
 * @returns what does not add up, a sentence each
 */
export async function moneyFaults(world: Books, before: readonly Stock[]): Promise<readonly string[]> {
  const [settled, refunds, after] = await Promise.all([
    world.sql<Settled>(
      `select op.id as operation, op.state as ended, o.id as order, o.state, o.amount_minor as amount, coalesce((
         select sum(f.amount_minor) from hapax.money_fact f where f.order_id = o.id and f.kind = 'captured'), 0) as booked
       from hapax.operation op join hapax.customer_order o on o.operation_id = op.id
         -- A key that was forgotten and used again has the id of its former operation, whose order is older.
         and o.created_at >= op.created_at
       where op.flow = 'checkout' and op.settled_at is not null and op.state <> 'compensation_incomplete'`,
    ),
    world.sql<Refunded>(
      `select operation_id as operation, amount_minor as amount from hapax.order_refund
       where operation_id is not null and state in ('made', 'failed')`,
    ),
    stockOfAll(world),
  ]);
  // Read last: what has ended by then has had its effects.
  const effects = await world.audit();
  const sum = (type: string, which: (effect: Effect) => boolean) =>
    effects.filter((effect) => effect.type === type && which(effect)).reduce((total, { amount }) => total + amount, 0);
  return [
    ...settled.flatMap(({ operation, ended, order, state, amount, booked }) => {
      const payments = new Set(
        effects
          .filter((effect) => effect.operation === operation && effect.type === 'payment_intent.created')
          .map(({ paymentIntent }) => paymentIntent),
      );
      const ofThis = ({ paymentIntent }: Effect) => payments.has(paymentIntent);
      const taken = sum('payment_intent.captured', ofThis);
      const given = sum('refund.created', ofThis) - sum('refund.failed', ofThis);
      const isPaid = ended === 'succeeded';
      return [
        ...(isPaid && taken !== Number(amount) ? [`${operation} is paid, and ${taken} of ${amount} were taken.`] : []),
        ...(isPaid && Number(booked) !== taken ? [`${order} has ${booked} booked, and ${taken} were taken.`] : []),
        ...(isPaid && !['paid', 'cancelling', 'cancelled'].includes(state) ? [`${order} is paid, and ${state}.`] : []),
        ...(!isPaid && taken > given
          ? [`${operation} ended as ${ended}, and ${taken - given} are still with us.`]
          : []),
        ...(!isPaid && state !== 'released' ? [`${operation} ended as ${ended}, and ${order} is ${state}.`] : []),
      ];
    }),
    ...refunds.flatMap(({ operation, amount }) => {
      const given = sum('refund.created', (effect) => effect.operation === operation);
      return given === Number(amount) ? [] : [`The refund of ${operation} is ${amount}, and ${given} were given back.`];
    }),
    ...before.flatMap(({ tenant, environment, sku, stock }) => {
      const now = after.find((item) => item.tenant === tenant && item.environment === environment && item.sku === sku);
      return now?.stock === stock
        ? []
        : [`Of ${sku} (${tenant}, ${environment}) there were ${stock}, and ${now?.stock} are accounted for.`];
    }),
  ];
}
