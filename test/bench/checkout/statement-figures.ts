import type { Figure } from '../measure/figure.ts';
import type { Side, Sides } from './sides.ts';

/** Enough that what is written in batches, such as the requests seen, has its share. */
const operations = 50;

/** SQL statements that worker and caller of each side send for one checkout. */
export async function statementFigures({ hapax, plain }: Sides): Promise<Figure[]> {
  const [ours, theirs] = [await statementsOf(hapax), await statementsOf(plain)];
  return [{ name: 'SQL statements per checkout', unit: '', hapax: ours, plain: theirs, value: ours / theirs }];
}

async function statementsOf({ worker, load }: Side): Promise<number> {
  const sent = async () => (await worker.ask<number>('statements')) + (await load.ask<number>('statements'));
  const before = await sent();
  await load.ask('load', { name: 'statements', operations, atOnce: 1 });
  return ((await sent()) - before) / operations;
}
