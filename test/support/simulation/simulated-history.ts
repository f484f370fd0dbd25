import fc from 'fast-check';
import { minutes, seconds } from '../../../workflows/operation/duration.ts';
import { type MoneyHistory, moneyHistory } from '../histories/money-history.ts';
import type { Harm } from './harms.ts';
import type { Keys } from './simulated-provider.ts';

/** What becomes of one piece of the provider's news, counted from the first. */
export type NewsFault = { readonly nth: number; readonly does: 'is lost' | 'comes twice' | 'comes late' };

/** A history of one order, and all else that decides its course: run again, it takes the same. */
export type SimulatedHistory = {
  readonly money: MoneyHistory;
  readonly keys: Keys;
  readonly harms: readonly Harm[];
  readonly news: readonly NewsFault[];
  /** When our books are compared with the provider's, besides at the end; from the beginning. Milliseconds. */
  readonly compared: number | undefined;
  /** How long the buyer takes at the bank's page. Milliseconds. */
  readonly buyerTakes: number;
  /** Decides whose turn is next. */
  readonly turns: number;
};

/** Of workers; most histories pass more than half as many. The others pass about as many. */
const boundaries = 100;

const harm: fc.Arbitrary<Harm> = fc.record({
  of: fc.constantFrom('workers', 'workers', 'workers', 'others'),
  at: fc.integer({ min: 1, max: boundaries }),
  does: fc.constantFrom('dies', 'freezes', 'is forgotten', 'fails', 'fails', 'comes late'),
  lasts: fc.integer({ min: 100, max: seconds(60) }),
});

const newsFault: fc.Arbitrary<NewsFault> = fc.record({
  nth: fc.integer({ min: 1, max: 8 }),
  does: fc.constantFrom('is lost', 'comes twice', 'comes late'),
});

const buyerTakes = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: 0, max: minutes(1) }) },
  // Past the end of the wait.
  { weight: 1, arbitrary: fc.integer({ min: minutes(1), max: minutes(20) }) },
);

/** Any simulated history. Nothing shields from a request that arrives late where a provider knows no keys. */
export const simulatedHistory: fc.Arbitrary<SimulatedHistory> = fc
  .record({
    money: moneyHistory,
    keys: fc.constantFrom('are kept', 'are kept', 'are forgotten', 'are unknown'),
    harms: fc.array(harm, { maxLength: 6 }),
    news: fc.array(newsFault, { maxLength: 4 }),
    compared: fc.option(fc.integer({ min: 0, max: seconds(5) }), { nil: undefined, freq: 2 }),
    buyerTakes,
    turns: fc.integer({ min: 0, max: 1_000_000 }),
  })
  .map(({ harms, ...rest }) => ({
    ...rest,
    harms: rest.keys === 'are unknown' ? harms.map((one) => ({ ...one, does: inTime[one.does] })) : harms,
  }));

const inTime = {
  dies: 'dies',
  freezes: 'dies',
  'is forgotten': 'dies',
  fails: 'fails',
  'comes late': 'fails',
} as const satisfies Record<Harm['does'], Harm['does']>;
