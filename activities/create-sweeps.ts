import type { Registration } from './registration.ts';
import type { About } from './stores/about.ts';
import { strays } from './stores/postgres/ledger/strays.ts';
import type { Reclaimed } from './stores/postgres/sweeps/sweep-record.ts';
import type { MediaStores } from './stores.ts';

/**
 * @returns a sweep for each flow that declares one, by the flow's name
 * @throws TypeError where a flow declares a sweep and registers none, or the other way round
 */
export function createSweeps(
  stores: MediaStores,
  registered: readonly Pick<Registration, 'flow' | 'sweep'>[],
): Readonly<Record<string, (about: About) => Promise<Reclaimed>>> {
  return Object.fromEntries(
    registered.flatMap(({ flow, sweep }) => {
      expectDeclared(flow.name, flow.sweepAfter !== undefined, sweep !== undefined);
      if (sweep === undefined) return [];
      const found = (about: About) => strays(stores.database, { id: about.operation, tenant: about.tenant });
      return [[flow.name, async (about: About) => await sweep(stores, about, await found(about))]];
    }),
  );
}

function expectDeclared(flow: string, declared: boolean, registered: boolean): void {
  const file = `activities/${flow}.ts`;
  if (declared && !registered)
    throw new TypeError(
      `Flow ${flow} declares \`sweepAfter\` and has no sweep: add \`sweep\` to the registration in ${file}.`,
    );
  if (registered && !declared)
    throw new TypeError(
      `Flow ${flow} has a sweep that nothing asks for: declare \`sweepAfter\`, or drop the sweep in ${file}.`,
    );
}
