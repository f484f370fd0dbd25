export type Demand = {
  /** How many operations may be in hand. */
  readonly limit: number;
  /** Those in hand, of all tenants and of each one. */
  readonly inHand: number;
  readonly inHandOf: (tenant: string) => number;
  /** Tenants that have something in hand. */
  readonly tenants: number;
  /** Tenants that were refused of late: they want more than they have. */
  readonly wanting: ReadonlySet<string>;
};

/**
 * How many operations a tenant may have in hand: max-min fairness. Who wants less than an equal share gets what it wants,
 * and those who want more divide the rest equally. An equal share is each tenant's own, even where others hold it still.
 */
export function fairShare(asker: string, { limit, inHand, inHandOf, tenants, wanting }: Demand): number {
  const hungry = new Set(wanting).add(asker);
  let theirs = 0;
  let without = 0;
  for (const tenant of hungry) {
    theirs += inHandOf(tenant);
    if (inHandOf(tenant) === 0) without += 1;
  }
  const equal = limit / (tenants + without);
  const rest = (limit - (inHand - theirs)) / hungry.size;
  return Math.max(1, equal, rest);
}
