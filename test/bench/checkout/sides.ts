import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { workflowBundle } from '../../../workers/bundle.ts';
import { type Partner, startPartner } from '../stack/conversation.ts';
import type { Servers } from '../stack/servers.ts';
import type { WorkerSettings } from '../stack/worker-settings.ts';

export type SideName = 'hapax' | 'plain';
export type Side = { readonly name: SideName; readonly worker: Partner; readonly load: Partner };
export type Sides = Readonly<Record<SideName, Side>>;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Both sides at the same servers: a worker and a caller each. */
export async function startSides(servers: Servers): Promise<Sides> {
  const common = {
    databaseUrl: servers.postgres.url,
    temporalAddress: servers.temporal.address,
    stripe: servers.sandbox.url,
  };
  const start = async (name: SideName, worker: string, load: string, bundle: string): Promise<Side> => {
    const settings = { ...common, taskQueue: `bench-${name}`, bundle };
    const [working, loading] = await Promise.all([startPartner(worker, settings), startPartner(load, settings)]);
    return { name, worker: working, load: loading };
  };
  const [hapaxBundle, plainBundle] = [await workflowBundle(`${servers.root}/bundle`), await bundlePlain(servers.root)];
  const [hapax, plain] = await Promise.all([
    start('hapax', here('./hapax-worker.ts'), here('./hapax-load.ts'), hapaxBundle),
    start('plain', here('../plain/worker.ts'), here('./plain-load.ts'), plainBundle),
  ]);
  return { hapax, plain };
}

/** Our worker alone, for the parts that come through the HTTP door. */
export async function startHapax(servers: Servers): Promise<Partner & { taskQueue: string }> {
  const taskQueue = 'bench-door';
  const worker = await startPartner(here('./hapax-worker.ts'), {
    databaseUrl: servers.postgres.url,
    temporalAddress: servers.temporal.address,
    stripe: servers.sandbox.url,
    taskQueue,
    bundle: await workflowBundle(`${servers.root}/bundle`),
  } satisfies WorkerSettings);
  return { ...worker, taskQueue };
}

export async function stopSides({ hapax, plain }: Sides): Promise<void> {
  await Promise.all([hapax, plain].flatMap(({ worker, load }) => [worker.stop(), load.stop()]));
}

async function bundlePlain(root: string): Promise<string> {
  const path = `${root}/plain.js`;
  const { code } = await bundleWorkflowCode({
    workflowsPath: here('../plain/checkout.ts'),
    logger: new DefaultLogger('WARN'),
  });
  await writeFile(path, code);
  return path;
}
