import fc from 'fast-check';

/** What happens to one order, in the order in which it begins. The first act is always the checkout. */
export type MoneyHistory = {
  readonly card: 'approves' | 'declines' | 'asks, and the buyer confirms' | 'asks, and the buyer does not';
  /** How often the checkout is asked for. */
  readonly asked: number;
  /** Faults that the provider's calls of this order meet. */
  readonly faults: readonly Fault[];
  readonly acts: readonly Act[];
};

type Fault = { readonly path: string; readonly fault: string; readonly after: number };

export type Act = {
  /** Whether it begins before the act before it has ended. */
  readonly beside: boolean;
} & (
  | { readonly do: 'refund'; readonly minor: number | undefined; readonly asked: number }
  | { readonly do: 'cancel'; readonly asked: number }
  | { readonly do: 'cancel the checkout' }
  | { readonly do: 'refund at the provider'; readonly minor: number }
  | { readonly do: 'dispute'; readonly ends: 'won' | 'lost' | undefined }
  | { readonly do: 'fail the newest refund' }
  | { readonly do: 'have an event sent again' }
);

const beside = fc.boolean();
const asked = fc.integer({ min: 1, max: 3 });

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('refund' as const),
      minor: fc.option(fc.integer({ min: 1, max: 1_500 }), { nil: undefined, freq: 3 }),
      ...{ asked, beside },
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), asked, beside }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel the checkout' as const), beside }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('refund at the provider' as const),
      minor: fc.integer({ min: 1, max: 900 }),
      beside,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('dispute' as const),
      ends: fc.constantFrom('won' as const, 'lost' as const, undefined),
      beside,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('fail the newest refund' as const), beside }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('have an event sent again' as const), beside }) },
);

const fault: fc.Arbitrary<Fault> = fc.record({
  path: fc.constantFrom(
    ...['/v1/payment_intents$', '[^/]+/confirm$', '[^/]+/capture$', '[^/]+/cancel$', '/v1/refunds$', '/v1/refunds$'],
  ),
  fault: fc.constantFrom(
    ...['drop_before', 'drop_after', '500_before', '500_after', 'garble', 'cut', 'empty', '409', '429'],
  ),
  after: fc.constantFrom(0, 0, 1),
});

/** Any history. */
export const moneyHistory: fc.Arbitrary<MoneyHistory> = fc.record({
  card: fc.oneof(
    { weight: 6, arbitrary: fc.constant('approves' as const) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        ...(['declines', 'asks, and the buyer confirms', 'asks, and the buyer does not'] as const),
      ),
    },
  ),
  asked,
  faults: fc.array(fault, { maxLength: 3 }),
  acts: fc.array(act, { maxLength: 6 }),
});

/** The histories of a seed, always the same. */
export function moneyHistories(seed: number, count: number): readonly MoneyHistory[] {
  return fc.sample(moneyHistory, { seed, numRuns: count });
}
