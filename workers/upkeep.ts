import { Client, Connection } from '@temporalio/client';
import { createSweeps } from '../activities/create-sweeps.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import { type Due, dueOperations, lookAtEverything } from '../activities/stores/postgres/upkeep/due-operations.ts';
import { type DueSweep, dueSweeps, swept } from '../activities/stores/postgres/upkeep/due-sweeps.ts';
import { countOpen } from '../activities/stores/postgres/upkeep/count-open.ts';
import { countTroubles, endTroubles } from '../activities/stores/postgres/upkeep/end-troubles.ts';
import { forget } from '../activities/stores/postgres/upkeep/forget.ts';
import { Workflows } from '../client/gateway/workflows.ts';
import { flows } from '../workflows/flows.ts';
import { longestRun } from '../workflows/operation/flow.ts';
import { retentionFaults } from '../workflows/operation/retention.ts';
import { BucketProver } from './bucket-prover.ts';
import { type Config, ConfigFault, readConfig } from './config.ts';
import { connectS3, s3Settings } from './connect-s3.ts';
import { Ground } from './ground.ts';
import { createLogger } from './logger.ts';
import { healthSettings, type Running, runProcess, serveHealth } from './process.ts';
import { registrations } from './registrations.ts';
import { open, troubled } from './telemetry.ts';

const settings = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  ...s3Settings,
  'HAPAX_TASK_QUEUE',
  ...healthSettings,
  'HAPAX_LOG_LEVEL',
] as const;

/**
 * A claim without a workflow must be started within 5 s: 2 s of grace, this interval, and the start itself on a busy
 * machine. Milliseconds.
 */
const interval = 500;
/** Starts that one round sends. With 20 at once Temporal takes about 500 a second on two cores. */
const atMost = 500;
const atOnce = 20;
/** Rows that upkeep locks at once when it forgets old operations. */
const forgottenAtOnce = 500;
/** Forgetting and sweeping are not urgent: they run once in this many rounds, and in each round while there is more. */
const tidyEvery = 120;
/** Once in this many rounds, which is every five seconds, upkeep checks whether a test of the object store is due. */
const proveEvery = 10;
/** Operations that one round sweeps, since the store has more important callers. */
const sweptAtOnce = 50;
/** Rounds between two counts: gauges are scraped every 15 s or so. */
const countEvery = 20;

/**
 * Looks after open operations, driven by PostgreSQL: claims that nobody started, runs that Temporal lost, signals that
 * did not arrive. Temporal may lose everything: open operations go on from their rows.
 */
export async function startUpkeep(config: Pick<Config, (typeof settings)[number]>): Promise<Running> {
  const faults = flows.flatMap((flow) =>
    retentionFaults(flow.name, flow.retention, longestRun(flow), flow.retryHorizon),
  );
  if (faults.length > 0) throw new ConfigFault(faults.join('\n'));
  const log = createLogger('upkeep', config.HAPAX_LOG_LEVEL);
  const connection = Connection.lazy({ address: config.TEMPORAL_ADDRESS });
  const client = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
  const workflows = new Workflows(client, config.HAPAX_TASK_QUEUE);
  const database = new Database(config.DATABASE_URL, 'hapax_upkeep', 2);
  // Sweeping does what a tenant's own operation would have done, under the same row-level security.
  const tenants = new Database(config.DATABASE_URL, 'hapax_app', 1);
  const objects = connectS3(config);
  const ground = await Ground.prove(database, objects, log);
  const prover = new BucketProver(database, objects, log);
  const sweeps = createSweeps({ database: tenants, objects }, await registrations());
  let rounds = 0;
  let more = false;
  let sweeping: Promise<void> | undefined;
  let stopping = false;
  let well = true;

  const round = async (): Promise<void> => {
    if (rounds % proveEvery === 0) prover.look();
    if (!(await workflows.sentinelStands())) {
      await workflows.registerSearchAttributes(config.TEMPORAL_NAMESPACE);
      const count = await lookAtEverything(database);
      if (count > 0) log.warn({ count }, 'Temporal has no sentinel: every open operation is started again');
      // Last, so that a process that dies before this line leaves the loss to be found again.
      await workflows.raiseSentinel();
    }
    const due = await dueOperations(database, atMost);
    await eachOf(due, (operation) => lookAfter(workflows, operation, log.warn.bind(log)));
    if (rounds % countEvery === 0) {
      open.reset();
      for (const { flow, state, count } of await countOpen(database)) open.set({ flow, state }, count);
      troubled.reset();
      for (const { flow, step, needsPerson, count } of await countTroubles(database))
        troubled.set({ flow, step, needs_person: String(needsPerson) }, count);
      for (const ended of await endTroubles(database))
        log.info(ended, 'an operation makes progress again, or has ended');
    }
    if (more || rounds % tidyEvery === 0) {
      more = await forget(database, forgottenAtOnce);
      sweeping ??= sweepLate().finally(() => {
        sweeping = undefined;
      });
    }
    rounds += 1;
  };

  // Runs beside the rounds: an unavailable object store must not keep a claim from being started.
  const sweepLate = async (): Promise<void> => {
    try {
      for (let left = true; left && !stopping; ) {
        const late = await dueSweeps(database, sweptAtOnce);
        await eachOf(late, sweep);
        left = late.length > 0;
      }
    } catch (err) {
      log.warn({ err }, 'the operations to sweep could not be read; the next look tries again');
    }
  };

  const sweep = async ({ id, tenant, environment, flow }: DueSweep): Promise<void> => {
    try {
      const removed = (await sweeps[flow]?.({ operation: id, tenant, environment })) ?? 0;
      await swept(database, id);
      if (removed > 0) log.info({ operation: id, removed }, 'what came after the end of an operation was removed');
    } catch (err) {
      log.warn({ err, operation: id }, 'an operation could not be swept; it is tried again in ten minutes');
    }
  };

  const ended = (async () => {
    while (!stopping) {
      try {
        await round();
        well = true;
      } catch (err) {
        if (well) log.warn({ err }, 'a round of upkeep failed; the next one tries again');
        well = false;
      }
      await new Promise((resolve) => setTimeout(resolve, interval));
    }
  })();
  const health = await serveHealth(config, async () => [
    well && !stopping
      ? { name: 'rounds', state: 'holds', says: 'The last look at the open operations went well.' }
      : {
          name: 'rounds',
          state: 'failed',
          says: 'The last look at the open operations failed, or upkeep is stopping: see the log.',
        },
    ...(await ground.checks()),
  ]);
  return {
    address: health.address,
    ended,
    async stop() {
      stopping = true;
      await ended;
      await sweeping;
      await prover.idle();
      await health.close();
      ground.close();
      await connection.close();
      await database.close();
      await tenants.close();
      objects.close();
    },
  };
}

async function lookAfter(workflows: Workflows, due: Due, warn: (context: object, text: string) => void): Promise<void> {
  const { id, tenant, environment, flow, key, keySubject, generation, news } = due;
  const scope = { tenant, environment, subject: keySubject, flow, key };
  const operation = { id, tenant, environment, flow, scope, generation };
  try {
    if (news === null) await workflows.startAgain(operation);
    else await workflows.startAndSignal(operation, news);
  } catch (err) {
    warn({ err, operation: id, looks: due.looks }, 'an open operation could not be started');
  }
}

async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, left.length) }, worker));
}

if (import.meta.main) await runProcess('upkeep', () => startUpkeep(readConfig(settings)));
