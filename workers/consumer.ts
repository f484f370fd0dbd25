import type { Consumer } from '../activities/consume/define-consumer.ts';
import { LogSource } from '../activities/consume/log-source.ts';
import { consumers as own } from '../activities/consumers/consumers.ts';
import type { MessageSource } from '../activities/stores/message-source.ts';
import { BrokerConnection } from '../activities/stores/nats/broker-connection.ts';
import { JetStreamSource } from '../activities/stores/nats/jetstream-source.ts';
import { countConsumed, forgetConsumed } from '../activities/stores/postgres/consumer/outlived-claims.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import type { Check } from '../client/http/health/readiness.ts';
import { minutes, seconds } from '../workflows/operation/duration.ts';
import { type Config, ConfigFault, readConfig } from './config.ts';
import { ConsumeLoop } from './consume-loop.ts';
import { Ground } from './ground.ts';
import { HeldLoop } from './held-loop.ts';
import { createLogger } from './logger.ts';
import { healthSettings, type Running, runProcess, serveHealth } from './process.ts';
import { consumed, held } from './telemetry.ts';

export const consumerSettings = [
  'DATABASE_URL',
  'NATS_URL',
  'NATS_CREDENTIALS',
  ...healthSettings,
  'HAPAX_LOG_LEVEL',
] as const;

/** Two batches for each of a few consumers, and the messages that are tried again. */
const connections = 12;
/** Without a broker its messages are read from the log in PostgreSQL. */
const ownStream = 'HAPAX_EVENTS';
/** Gauges are scraped every 15 s or so. */
const countEvery = seconds(10);
/** Forgetting is not urgent. */
const forgetEvery = minutes(1);
/** Rows that are locked at once when claims are forgotten. */
const forgottenAtOnce = 1_000;

/** What a test may add: consumers of its own, and boundaries at which it stops the process. */
type Extension = {
  readonly consumers?: readonly Consumer[];
  readonly source?: (own: MessageSource) => MessageSource;
  readonly ackWait?: number;
};

/** Consumes messages of streams. Several such processes share the work. */
export async function startConsumer(
  config: Pick<Config, (typeof consumerSettings)[number]>,
  { consumers = own, source: wrap = (source) => source, ackWait }: Extension = {},
): Promise<Running> {
  const log = createLogger('consumer', config.HAPAX_LOG_LEVEL);
  const database = new Database(config.DATABASE_URL, 'hapax_app', connections);
  const upkeep = new Database(config.DATABASE_URL, 'hapax_upkeep', 4);
  const ground = await Ground.prove(database, undefined, log);
  const broker =
    config.NATS_URL === undefined
      ? undefined
      : new BrokerConnection(config.NATS_URL, { name: 'hapax consumer', credentials: config.NATS_CREDENTIALS });
  const others = consumers.filter(({ from }) => from.stream !== ownStream).map(({ name }) => name);
  if (broker === undefined && others.length > 0)
    throw new ConfigFault(`Cannot start:\n  NATS_URL is not set: ${others.join(', ')} cannot be given their messages`);
  const sources = consumers.map((consumer) => {
    const { name, from } = consumer;
    const source =
      broker === undefined
        ? new LogSource({ database: upkeep, consumer: name, subjects: from.subjects })
        : new JetStreamSource({ ...from, broker, durable: `hapax-${name}`, ...(ackWait && { ackWait }) });
    return { consumer, source: wrap(source) };
  });
  const loops = sources.map(({ consumer, source }) => {
    const count = (became: string): void => consumed.inc({ consumer: consumer.name, became });
    return { consumer, source, loop: new ConsumeLoop({ consumer, source, database, log, count }) };
  });
  const kept = new HeldLoop({
    ...{ consumers, upkeep, database, log },
    count: (consumer, became) => consumed.inc({ consumer, became }),
  });
  const counting = setInterval(() => void count(upkeep, loops).catch(() => undefined), countEvery);
  const forgetting = setInterval(() => void forget(upkeep).catch(() => undefined), forgetEvery);
  const health = await serveHealth(config, async () => [
    ...loops.map(
      ({ consumer: { name }, source, loop: { fault } }): Check =>
        fault === undefined ? { name, state: 'holds', says: `Consumes ${source.called}.` } : { name, ...fault },
    ),
    kept.well
      ? { name: 'kept messages', state: 'holds', says: 'The last look at the kept messages went well.' }
      : { name: 'kept messages', state: 'failed', says: 'The last look at the kept messages failed: see the log.' },
    ...(await ground.checks()),
  ]);
  return {
    address: health.address,
    ended: new Promise(() => undefined),
    async stop() {
      clearInterval(counting);
      clearInterval(forgetting);
      await Promise.all([...loops.map(({ loop }) => loop.stop()), kept.stop()]);
      await broker?.close();
      await health.close();
      ground.close();
      await Promise.all([database.close(), upkeep.close()]);
    },
  };
}

type Consuming = { readonly consumer: Consumer; readonly source: MessageSource };

async function count(upkeep: Database, consuming: readonly Consuming[]): Promise<void> {
  const counted = await countConsumed(upkeep);
  held.reset();
  for (const { consumer, state, count: value } of counted) held.set({ consumer, state }, value);
  for (const { consumer, source } of consuming) {
    const behind = await source.lag().catch(() => undefined);
    if (behind !== undefined) held.set({ consumer: consumer.name, state: 'behind' }, behind);
  }
}

async function forget(upkeep: Database): Promise<void> {
  while ((await forgetConsumed(upkeep, forgottenAtOnce)) === forgottenAtOnce);
}

if (import.meta.main) await runProcess('consumer', () => startConsumer(readConfig(consumerSettings)));
