import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { byBroker, type EventBroker, type EventRows } from '../activities/relay/by-broker.ts';
import { byLedger } from '../activities/relay/by-ledger.ts';
import { StreamUnfit } from '../activities/stores/nats/event-stream.ts';
import { Database } from '../activities/stores/postgres/database.ts';
import { countEvents } from '../activities/stores/postgres/outbox/count-events.ts';
import { publishHere } from '../activities/stores/postgres/outbox/due-events.ts';
import type { Check } from '../client/http/health/readiness.ts';
import { seconds } from '../workflows/operation/duration.ts';
import { type Config, ConfigFault, readConfig } from './config.ts';
import { Ground } from './ground.ts';
import { createLogger } from './logger.ts';
import { horizon, NatsBroker } from './nats-broker.ts';
import { healthSettings, type Running, runProcess, serveHealth } from './process.ts';
import { RelayLoop } from './relay-loop.ts';
import { events, lag, tries } from './relay-metrics.ts';
import { eventRows, shardLeases } from './relay-rows.ts';

export const relaySettings = [
  'DATABASE_URL',
  'NATS_URL',
  'NATS_CREDENTIALS',
  ...healthSettings,
  'HAPAX_LOG_LEVEL',
] as const;

/** Four shards side by side, each a short statement at a time, and the look for more. */
const connections = 5;
/** Gauges are scraped every 15 s or so. */
const countEvery = seconds(5);

/** What a test may add: boundaries at which it stops the relay. */
type Extension = {
  readonly rows?: (own: EventRows) => EventRows;
  readonly broker?: (own: EventBroker) => EventBroker;
};

/** Publishes events from the outbox: to a broker, or without one into the log of the ledger. Several such processes share the work. */
export async function startRelay(
  config: Pick<Config, (typeof relaySettings)[number]>,
  { rows: wrap = (own) => own, broker: extend = (own) => own }: Extension = {},
): Promise<Running> {
  const log = createLogger('relay', config.HAPAX_LOG_LEVEL);
  const nats = config.NATS_URL === undefined ? undefined : new NatsBroker(config.NATS_URL, config.NATS_CREDENTIALS);
  if (nats !== undefined) await expectFit(nats, log);
  const database = new Database(config.DATABASE_URL, 'hapax_upkeep', connections);
  const ground = await Ground.prove(database, undefined, log);
  const way =
    nats === undefined
      ? byLedger({
          publish: (shard, atMost) => publishHere(database, shard, atMost),
          count: (published) => tries.inc({ became: 'published' }, published),
        })
      : byBroker({
          broker: extend(nats),
          rows: wrap(eventRows(database)),
          horizon,
          count: (became) => tries.inc({ became }),
          tell: ({ id, operation, type }, { code, detail }) =>
            log.error(
              { message: id, operation, type, code },
              `An event was refused, and waits for a person: ${detail}`,
            ),
        });
  const loop = new RelayLoop({ leases: shardLeases(database, randomUUID()), way, log });
  const counting = setInterval(() => void count(database).catch(() => undefined), countEvery);
  const health = await serveHealth(config, async () => [
    loop.well
      ? { name: 'outbox', state: 'holds', says: 'The last look at the outbox went well.' }
      : { name: 'outbox', state: 'failed', says: 'The last look at the outbox failed: see the log.' },
    broker(way.called, loop.why),
    ...(await ground.checks()),
  ]);
  return {
    address: health.address,
    ended: new Promise(() => undefined),
    async stop() {
      clearInterval(counting);
      await loop.stop();
      await nats?.close();
      await health.close();
      ground.close();
      await database.close();
    },
  };
}

/**
 * A broker that is away may come: events wait for it.
 * @throws ConfigFault where it is there and would store events twice, or not at all
 */
async function expectFit(nats: NatsBroker, log: Logger): Promise<void> {
  await nats.prove().catch((error: Error) => {
    if (error instanceof StreamUnfit) throw new ConfigFault(`Cannot start:\n  ${error.message}`);
    log.warn(`The broker is waited for: ${error.message}`);
  });
}

function broker(called: string, why: string | undefined): Check {
  if (why === undefined) return { name: 'broker', state: 'holds', says: `Events leave by ${called}.` };
  return { name: 'broker', state: 'degraded', says: `Events wait: ${called} does not take them. ${why}` };
}

async function count(database: Database): Promise<void> {
  const counted = await countEvents(database);
  events.set({ state: 'due' }, counted.due);
  events.set({ state: 'failed' }, counted.failed);
  lag.set(counted.lag);
}

if (import.meta.main) await runProcess('relay', () => startRelay(readConfig(relaySettings)));
