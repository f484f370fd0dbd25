type Demand = {
  /** How many operations may be in hand. */
  readonly limit: number;
  /** Operations in hand, by tenant. */
  readonly inHand: ReadonlyMap<string, number>;
  /** Tenants that were refused recently, so they want more than they have. */
  readonly wanting: ReadonlySet<string>;
};

/**
 * How many operations a tenant may have in hand, by max-min fairness. A tenant that wants less than an equal share gets
 * what it wants, and the tenants that want more divide the rest equally. An equal share is guaranteed even while other
 * tenants still hold more than theirs. Only when so many tenants use their share that the limit is reached is none
 * left.
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
