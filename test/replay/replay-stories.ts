import { existsSync } from 'node:fs';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { workflowId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { type Options, World } from '../support/world.ts';
import { machineIn, readHistory, writeHistory } from './recorded-history.ts';

/** Tells one operation of alpha's with this key, to its end or so far that it ends by itself. */
export type Told = (world: World, key: string, workflow: WorkflowHandle) => Promise<unknown>;

/**
 * Operations of a flow as they once ran. A change of a story must still replay them, or operations in flight would be
 * stuck after its deploy. `RECORD=1` records those whose file is missing. A file is deleted only where no such operation can
 * be in flight any more.
 */
export function replayStories(flow: string, stories: Readonly<Record<string, Told>>, options: Options = {}): void {
  const fileOf = (name: string) => new URL(`histories/${flow}-${name}.json`, import.meta.url);

  const missing = () => Object.entries(stories).filter(([name]) => !existsSync(fileOf(name)));

  async function record(): Promise<void> {
    const world = await World.create(inject('ground'), options);
    const connection = await Connection.connect({ address: world.env.TEMPORAL_ADDRESS as string });
    const { workflow } = new Client({ connection });
    for (const [name, tell] of missing()) {
      const handle = workflow.getHandle(workflowId({ ...checkoutScope(world, name), flow }, 1));
      await tell(world, name, handle);
      await handle.result();
      await writeHistory(fileOf(name), await handle.fetchHistory());
    }
    await connection.close();
    await world.close();
  }

  describe(`${flow} that was recorded`, () => {
    beforeAll(async () => {
      Runtime.install({ logger: new DefaultLogger('ERROR') });
      if (process.env.RECORD === '1' && missing().length > 0) await record();
    });

    it.each(Object.keys(stories))('as %s is replayed by the stories of today', async (name) => {
      const history = await readHistory(fileOf(name));
      const replayed = Worker.runReplayHistory({ workflowBundle: { codePath: inject('ground').bundle } }, history);
      await expect(replayed).resolves.toBeUndefined();
    });

    it.each(Object.keys(stories))('as %s names no machine', async (name) => {
      expect(machineIn(await readHistory(fileOf(name)))).toEqual([]);
    });
  });
}
