import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Connection } from '@temporalio/client';
import { searchAttributes } from '../../workflows/operation/search-attributes.ts';
import { startChild } from './child.ts';
import type { Keeper } from './keeper.ts';
import { untilReady } from './until-ready.ts';

/**
 * By default queues are read 20 times a second, and the development server has one shard, so each hop would wait for
 * the next 50 ms beat. Measured on 2 cores: four activities took 250 ms, and take 60 ms with this.
 */
const pollsPerSecond = 2_000;
const polls = ['transfer', 'timer', 'visibility'].map(
  (queue) => `history.${queue}ProcessorMaxPollRPS=${pollsPerSecond}`,
);

/**
 * By default a task queue has four partitions, which is more than one worker's polls cover: two of the SDK's ten go to
 * the common queue, and more polls would hand more tasks to a worker that is frozen. With 40 concurrent checkouts some
 * waited 1.9 s for their first task while others overtook them. With one partition that was 0.9 s.
 */
const parts = ['Read', 'Write'].map((side) => `matching.numTaskqueue${side}Partitions=1`);

/**
 * Without it the server accepts fairness keys and serves first come, first served. With 60 workflows of one tenant in the queue,
 * the first of another tenant began as the 61st; with it, as the second.
 */
const fairness = ['matching.enableFairness=true'];

/** The dynamic configuration of Temporal's development server, here and in docker-compose.yml. */
export const dynamicConfig: readonly string[] = [...polls, ...parts, ...fairness];

/**
 * SQLite waits for the disk at each checkpoint, not at each commit: 38 instead of 25 operations a second. A power cut
 * may cost the last moments.
 */
const pragmas = ['journal_mode=WAL', 'synchronous=NORMAL'];

/** Starts Temporal's development server on 127.0.0.1; ready when its namespace `default` exists. */
export async function startTemporal(options: {
  /** The Temporal CLI, as found by `findTemporal`. */
  binary: string;
  directory: string;
  port: number;
  /** Without it there is no web UI. */
  uiPort?: number | undefined;
  logFile: string;
  /** Whether workflows outlive the server. Tests do without, and are faster. */
  persist: boolean;
  keeper?: Keeper | undefined;
}): Promise<{
  address: string;
  uiUrl: string | undefined;
  pid: number;
  ended: Promise<unknown>;
  stop(patience?: number): Promise<void>;
}> {
  const directory = resolve(options.directory);
  await mkdir(directory, { recursive: true });
  const each = (flag: string, values: readonly string[]) => values.flatMap((value) => [flag, value]);
  const child = await startChild({
    command: options.binary,
    args: [
      ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(options.port), '--log-level', 'warn'],
      ...(options.uiPort ? ['--ui-port', String(options.uiPort), '--ui-disable-news-fetch'] : ['--headless']),
      ...(options.persist ? ['--db-filename', join(directory, 'temporal.db')] : []),
      ...(options.persist ? each('--sqlite-pragma', pragmas) : []),
      ...each('--dynamic-config-value', dynamicConfig),
      ...each(
        '--search-attribute',
        searchAttributes.map((name) => `${name}=Keyword`),
      ),
    ],
    logFile: options.logFile,
    keeper: options.keeper,
  });
  const address = `127.0.0.1:${options.port}`;
  await untilReady({
    what: 'The Temporal server',
    child,
    probe: () => knowsNamespace(address),
    advice: `See ${options.logFile}; other ports are set by HAPAX_TEMPORAL_PORT and HAPAX_TEMPORAL_UI_PORT, a Temporal of your own by TEMPORAL_ADDRESS.`,
  });
  return {
    address,
    uiUrl: options.uiPort ? `http://127.0.0.1:${options.uiPort}` : undefined,
    pid: child.pid,
    ended: child.ended,
    stop: (patience) => child.stop(patience),
  };
}

/** @throws when the server does not answer yet, or does not know the namespace yet */
export async function knowsNamespace(address: string, namespace = 'default'): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: '1s' });
  try {
    await connection.withDeadline(Date.now() + 2_000, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } finally {
    await connection.close();
  }
}
