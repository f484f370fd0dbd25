type Demand = {
  /** How many operations may be in hand. */
  readonly limit: number;
  /** Those in hand, by tenant. */
  readonly inHand: ReadonlyMap<string, number>;
  /** Tenants that were refused of late: they want more than they have. */
  readonly wanting: ReadonlySet<string>;
};

/**
 * How many operations a tenant may have in hand: max-min fairness. Who wants less than an equal share gets what it wants,
 * and those who want more divide the rest equally. An equal share is each tenant's own, even where others hold it still;
 * only where very many tenants use theirs there is none left.
 */
export function fairShare(asker: string, { limit, inHand, wanting }: Demand): number {
  const hungry = new Set(wanting).add(asker);
  const without = [...hungry].filter((tenant) => !inHand.has(tenant)).length;
  const equal = Math.max(1, limit / (inHand.size + without));
  let modest = 0;
  let used = 0;
  for (const [tenant, operations] of inHand) {
    if (!hungry.has(tenant)) modest += operations;
    if (tenant !== asker) used += Math.min(operations, equal);
  }
  return used >= limit ? 0 : Math.max(equal, (limit - modest) / hungry.size);
}
