import type { Figure } from '../measure/figure.ts';
import type { Side } from './sides.ts';

type Flushes = { readonly all: number; readonly domainsOwn: number };

/** One at a time, so that each flush belongs to one operation. */
const operations = 50;

/**
 * Awaited round trips to PostgreSQL of a new operation and of its replay. The domain's own are those of the two
 * transactions in which `reserve` and `complete` write the shop's rows.
 */
export async function flushFigures({ worker, load }: Side): Promise<Figure[]> {
  const flushes = async (): Promise<Flushes> => {
    const [working, calling] = [await worker.ask<Flushes>('flushes'), await load.ask<number>('flushes')];
    return { all: working.all + calling, domainsOwn: working.domainsOwn };
  };
  const asked = { name: 'flushes', operations, atOnce: 1 };
  const before = await flushes();
  await load.ask('load', asked);
  const between = await flushes();
  await load.ask('replay', asked);
  const after = await flushes();
  const all = (between.all - before.all) / operations;
  const domainsOwn = (between.domainsOwn - before.domainsOwn) / operations;
  return [
    { name: 'PostgreSQL round trips per new operation', unit: '', value: all - domainsOwn, target: { atMost: 5 } },
    { name: '  and in the domain’s own transactions', unit: '', value: domainsOwn },
    {
      name: 'PostgreSQL round trips per replay',
      unit: '',
      value: (after.all - between.all) / operations,
      target: { atMost: 1 },
    },
  ];
}
