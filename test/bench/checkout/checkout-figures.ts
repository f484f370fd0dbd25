import type { Figure } from '../measure/figure.ts';
import { median, percentile } from '../measure/statistics.ts';
import { atOnce, burst, type Round, type SideRound } from './checkout-rounds.ts';
import { spenders } from './expenses.ts';

const perSecond = ({ throughput }: SideRound): number => (burst * 1_000) / throughput.elapsed;
const total = ({ expenses }: SideRound): number => spenders.reduce((sum, name) => sum + expenses[name], 0) / burst;

/** Medians over the rounds; each ratio is the median of the rounds' own ratios. */
export function checkoutFigures(rounds: readonly Round[]): Figure[] {
  const both = (name: string, unit: string, of: (side: SideRound) => number, target?: Figure['target']): Figure => ({
    name,
    unit,
    hapax: median(rounds.map(({ hapax }) => of(hapax))),
    plain: median(rounds.map(({ plain }) => of(plain))),
    value: median(rounds.map(({ hapax, plain }) => of(hapax) / of(plain))),
    ...(target === undefined ? {} : { target }),
  });
  return [
    both('checkout, one at a time, p50', 'ms', ({ latencies }) => percentile(latencies, 0.5), { atMost: 0.7 }),
    both('checkout, one at a time, p95', 'ms', ({ latencies }) => percentile(latencies, 0.95)),
    both(`checkout, ${atOnce} at once`, '/s', perSecond, { atLeast: 1.3 }),
    both(`checkout, ${atOnce} at once, p50`, 'ms', ({ throughput }) => percentile(throughput.latencies, 0.5)),
    both(`checkout, ${atOnce} at once, p95`, 'ms', ({ throughput }) => percentile(throughput.latencies, 0.95)),
    both('processor time per checkout', 'ms', total),
    ...spenders.map((name) => both(`  of it ${name}`, 'ms', ({ expenses }) => expenses[name] / burst)),
  ];
}
