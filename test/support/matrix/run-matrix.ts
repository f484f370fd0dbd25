import { seed as seedTenants } from '../../../workers/migrate.ts';
import { ownRegistrations } from '../../flows/own-registrations.ts';
import { ownSystems } from '../../flows/letter/letter-shop.ts';
import { seatTable } from '../../flows/booking/seat-steps.ts';
import { entryTable } from '../../flows/guestbook/entry-steps.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import type { Ground } from '../global-setup.ts';
import { ownBundle } from '../own-flows.ts';
import { TicketOffice } from '../ticket-office.ts';
import { World } from '../world.ts';
import { type FaultCase, references } from './fault-cases.ts';
import { type Expected, faultsOf, referenceFaults } from './faults-of.ts';
import { prepare } from './flow-callers.ts';
import { footprints, type Footprint } from './footprints.ts';
import { MatrixLane, type Running, running } from './matrix-lane.ts';

/** How many queues are worked at at once; two cores have no use for more. */
const lanes = 2;
/** Operations that stand at their boundaries together, in one worker; each may hold one of its 24 connections. */
const batchSize = 14;

/** Runs the cases and the references of their flows. @returns what is wrong, a sentence each */
export async function runMatrix(ground: Ground, cases: readonly FaultCase[]): Promise<readonly string[]> {
  const world = await World.create(ground, { workers: 0, doors: 0, upkeep: false, systems: ownSystems });
  const office = await TicketOffice.open();
  const outside = { world, office };
  const opened: MatrixLane[] = [];
  try {
    await world.sql(seatTable);
    await world.sql(entryTable);
    world.env.HAPAX_WORKFLOW_BUNDLE = await ownBundle(world);
    let number = 0;
    const named = (one: FaultCase) => running(one, `m${(number += 1)}-${world.name}`);
    const flows = [...new Set(cases.map(({ flow }) => flow))];
    const compared = flows.map((flow) => {
      const { whole, undone } = references(flow);
      return { flow, whole: named(whole), undone: named(undone), untouched: named(whole) };
    });
    const all = cases.map(named);
    await seed(world, [...compared.flatMap(({ whole, undone, untouched }) => [whole, undone, untouched]), ...all]);
    const work = batches([...compared.flatMap(({ whole, undone }) => [whole, undone]), ...all]);
    for (let n = 0; n < lanes; n += 1) opened.push(await MatrixLane.open(outside, `lane-${n}`));
    await Promise.all(opened.map((lane) => lane.run(() => work.shift())));
    return await judged(outside, opened[0] as MatrixLane, compared, all);
  } catch (error) {
    const lines = (await opened[0]?.log())?.split('\n') ?? [];
    const said = lines.filter((line) => !/^(passed|stands) /.test(line)).slice(-40);
    throw new Error(`${(error as Error).message}\nThe workers said:\n${said.join('\n')}`, { cause: error });
  } finally {
    await Promise.all(opened.map((lane) => lane.close()));
    await office.close();
    await world.close();
  }
}

/** What tenants of a local stack begin with, and what those of a case need besides. */
async function seed(world: World, all: readonly Running[]): Promise<void> {
  const tenants = all.map(({ tenant }) => tenant);
  await seedTenants(world.databaseUrl, tenants, await ownRegistrations());
  for (const { flow, tenant } of all) await prepare(flow, world, tenant);
}

function batches(all: readonly Running[]): (readonly Running[])[] {
  const size = Math.ceil(all.length / Math.ceil(all.length / batchSize));
  return Array.from({ length: Math.ceil(all.length / size) }, (_, n) => all.slice(n * size, (n + 1) * size));
}

type Compared = { readonly flow: AnyFlow } & Readonly<Record<'whole' | 'undone' | 'untouched', Running>>;

async function judged(
  { world, office }: { readonly world: World; readonly office: TicketOffice },
  lane: MatrixLane,
  compared: readonly Compared[],
  all: readonly Running[],
): Promise<readonly string[]> {
  const asked = new Map<string, readonly unknown[]>();
  // An end after which the same key begins anew has no answer to give again.
  const kept = all.filter(({ flow, ends }) => !flow.renewsAfter.includes(ends));
  await Promise.all(kept.map(async (one) => asked.set(one.id, await lane.asks(one))));
  const references = compared.flatMap(({ whole, undone, untouched }) => [whole, undone, untouched]);
  const found = await footprints(world, office, [...references, ...all]);
  const of = ({ id }: Running) => found.get(id) as Footprint;
  const log = await lane.log();
  const expected = new Map<AnyFlow, Expected>(
    compared.map(({ flow, whole, undone, untouched }) => [
      flow,
      { whole: of(whole), undone: of(undone), untouched: of(untouched) },
    ]),
  );
  return [
    ...[...expected].flatMap(([flow, one]) => referenceFaults(flow.name, one)),
    ...all.flatMap((one) =>
      faultsOf(one, expected.get(one.flow) as Expected, { found: of(one), asked: asked.get(one.id) ?? [], log }),
    ),
  ];
}
