import { Client, Connection } from '@temporalio/client';
import { convertedBy } from '../activities/seal/payload-codec.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import { type Due, dueOperations, lookAtEverything } from '../activities/stores/postgres/upkeep/due-operations.ts';
import { countOpen } from '../activities/stores/postgres/upkeep/count-open.ts';
import { sweepTroubles } from '../activities/stores/postgres/sweeps/sweep-record.ts';
import { countUploads } from '../activities/stores/postgres/upkeep/count-uploads.ts';
import { countTroubles, endTroubles } from '../activities/stores/postgres/upkeep/end-troubles.ts';
import { countHandlings, forgetEvents } from '../activities/stores/postgres/inbox/due-handlings.ts';
import { forget } from '../activities/stores/postgres/upkeep/forget.ts';
import { beat, type Standing, standingOf } from '../activities/sweep/ledger-standing.ts';
import { BucketSweep } from '../activities/sweep/sweep-bucket.ts';
import { EventHandlers } from '../client/events/event-handlers.ts';
import { connectGateway } from '../client/gateway/connect.ts';
import { Workflows } from '../client/gateway/workflows.ts';
import { flows } from '../workflows/flows.ts';
import { minutes } from '../workflows/operation/duration.ts';
import { longestRun } from '../workflows/operation/flow.ts';
import { retentionFaults } from '../workflows/operation/retention.ts';
import { BucketProver } from './bucket-prover.ts';
import { type Config, ConfigFault, readConfig } from './config.ts';
import { connectS3, s3Settings } from './connect-s3.ts';
import { DueSweeps } from './due-sweeps.ts';
import { EventLoop } from './event-loop.ts';
import { Ground } from './ground.ts';
import { createLogger } from './logger.ts';
import { payloadSettings, readPayloadCodec } from './payload-codec.ts';
import { healthSettings, type Running, runProcess, serveHealth } from './process.ts';
import { registrations, settlesInClaim } from './registrations.ts';
import { tellSweep } from './tell-sweep.ts';
import { handlings, open, requests, sweepTotals, troubled, uploads } from './telemetry.ts';

const settings = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  ...s3Settings,
  'HAPAX_TASK_QUEUE',
  'HAPAX_RECONCILE_MINUTES',
  ...payloadSettings,
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
/** Pages of 1,000 keys that one look at the bucket compares: 28 million keys a day, and the store has other callers. */
const sweptPages = 20;
/** Troubles of sweeps that are counted. */
const mostTroubles = 1_000;
/** Rounds between two beats of the ledger, which are ten minutes: what a restored backup lacks shows by them. */
const beatEvery = 1_200;
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
  const payloadCodec = readPayloadCodec(config);
  const connection = Connection.lazy({ address: config.TEMPORAL_ADDRESS });
  const client = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE, ...convertedBy(payloadCodec) });
  const workflows = new Workflows(client, config.HAPAX_TASK_QUEUE);
  const database = new Database(config.DATABASE_URL, 'hapax_upkeep', 2);
  // Sweeping does what a tenant's own operation would have done, under the same row-level security.
  const tenants = new Database(config.DATABASE_URL, 'hapax_app', 1);
  const objects = connectS3(config);
  const ground = await Ground.prove(database, objects, log);
  const prover = new BucketProver(database, objects, log);
  const registered = await registrations();
  const late = new DueSweeps(database, tenants, objects, registered, log);
  const bucket = new BucketSweep({ database, objects });
  const connected = await connectGateway({
    databaseUrl: config.DATABASE_URL,
    temporalAddress: config.TEMPORAL_ADDRESS,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: config.HAPAX_TASK_QUEUE,
    payloadCodec,
    inClaim: (own) => settlesInClaim(own, registered),
    log: (message, err) => log.warn({ err }, message),
    count: (flow, decision, layer) => requests.inc({ flow, decision, layer }),
  });
  // A pool of its own: events do not wait for the rounds.
  const inbox = new Database(config.DATABASE_URL, 'hapax_upkeep', 2);
  const events = new EventLoop({
    database: inbox,
    gateway: connected.gateway,
    handlers: new EventHandlers(flows),
    log,
  });
  connected.hearEvents(() => events.wake());
  let beaten = -beatEvery;
  let rounds = 0;
  let more = false;
  let sweeping: Promise<void> | undefined;
  let stopping = false;
  let well = true;
  /** Whether Temporal knows when books are compared. */
  let scheduled = false;

  const round = async (): Promise<void> => {
    if (rounds % proveEvery === 0) prover.look();
    if (!(await workflows.sentinelStands())) {
      await workflows.registerSearchAttributes(config.TEMPORAL_NAMESPACE);
      const count = await lookAtEverything(database);
      if (count > 0) log.warn({ count }, 'Temporal has no sentinel: every open operation is started again');
      scheduled = false;
      // Last, so that a process that dies before this line leaves the loss to be found again.
      await workflows.raiseSentinel();
    } else if (rounds === 0 && config.HAPAX_PAYLOAD_CODEC === 'on') {
      // Workers prove at their start that they can decrypt it.
      await workflows.raiseSentinel('TERMINATE_EXISTING');
    }
    if (!scheduled) await workflows.scheduleReconciler(minutes(config.HAPAX_RECONCILE_MINUTES));
    scheduled = true;
    const due = await dueOperations(database, atMost);
    await eachOf(due, (operation) => lookAfter(workflows, operation, log.warn.bind(log)));
    if (rounds % countEvery === 0) {
      open.reset();
      for (const { flow, state, count } of await countOpen(database)) open.set({ flow, state }, count);
      troubled.reset();
      for (const { flow, step, needsPerson, count } of await countTroubles(database))
        troubled.set({ flow, step, needs_person: String(needsPerson) }, count);
      handlings.reset();
      for (const { handler, state, count } of await countHandlings(database)) handlings.set({ handler, state }, count);
      for (const ended of await endTroubles(database))
        log.info(ended, 'an operation makes progress again, or has ended');
    }
    if (more || rounds % tidyEvery === 0) {
      more = await forget(database, forgottenAtOnce);
      if ((await forgetEvents(database, forgottenAtOnce)) === forgottenAtOnce) more = true;
      sweeping ??= sweep().finally(() => {
        sweeping = undefined;
      });
    }
    rounds += 1;
  };

  // Runs beside the rounds: an unavailable object store must not keep a claim from being started.
  let doubt: string | undefined;
  const tellStanding = (standing: Standing): void => {
    const why = standing.kind === 'ours' ? undefined : standing.why;
    sweepTotals.set({ what: 'held-back' }, why === undefined ? 0 : 1);
    if (why !== undefined && why !== doubt) log.error(`Nothing is removed from the bucket. ${why}`);
    doubt = why;
  };
  const sweep = async (): Promise<void> => {
    try {
      const standing = await standingOf(database, objects);
      tellStanding(standing);
      // Rows that a restore has brought back may say of files that they are given up.
      if (standing.kind === 'ours') await late.run(() => stopping);
      const pass = await bucket.work({ by: 'schedule', anew: false, pages: sweptPages, stopping: () => stopping });
      if (pass !== undefined) tellSweep(pass, log);
      sweepTotals.set({ what: 'troubles' }, (await sweepTroubles(database, mostTroubles)).length);
      if (rounds - beaten < beatEvery) return;
      beaten = rounds;
      await beat(database, objects);
      for (const [became, count] of Object.entries(await countUploads(database))) uploads.set({ became }, count);
    } catch (err) {
      log.warn({ err }, 'what is to be swept could not be read; the next look tries again');
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
      await events.stop();
      await ended;
      await sweeping;
      await prover.idle();
      await health.close();
      ground.close();
      await connection.close();
      await connected.close();
      await inbox.close();
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
