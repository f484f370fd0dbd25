import { Client, Connection } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { Database } from '../activities/stores/postgres/database.ts';
import { Arrivals } from '../client/gateway/arrivals.ts';
import { Gateway } from '../client/gateway.ts';
import { createDoor } from '../client/http/door.ts';
import { Outcomes } from '../client/gateway/outcomes.ts';
import { Workflows } from '../client/gateway/workflows.ts';
import { SettledNews } from '../client/gateway/settled-news.ts';
import { flows } from '../workflows/flows.ts';
import { type Config, readConfig } from './config.ts';
import { createLogger } from './logger.ts';
import { type Running, runProcess } from './process.ts';
import { metricsText } from './telemetry.ts';
import { identify, readTokens } from './tokens.ts';

const settings = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'HAPAX_HTTP_HOST',
  'HAPAX_HTTP_PORT',
  'HAPAX_TOKENS',
  'HAPAX_TASK_QUEUE',
  'HAPAX_LOG_LEVEL',
  'HAPAX_NEW_PER_MINUTE',
  'HAPAX_CORS_ORIGINS',
  'HAPAX_ANSWER_CACHE',
] as const;

/** The door for the network. It holds no state that another door would miss. */
export async function startHttp(
  config: Pick<Config, (typeof settings)[number]>,
  extend?: (app: FastifyInstance) => void,
): Promise<Running> {
  const log = createLogger('http', config.HAPAX_LOG_LEVEL);
  const tokens = readTokens(config.HAPAX_TOKENS);
  // Lazy: a door that starts before Temporal accepts claims all the same, and upkeep starts them.
  const connection = Connection.lazy({ address: config.TEMPORAL_ADDRESS });
  const database = new Database(config.DATABASE_URL, 'hapax_app');
  const news = new SettledNews(config.DATABASE_URL);
  await news.listen();
  const arrivals = new Arrivals(database);
  const gateway = new Gateway({
    database,
    workflows: new Workflows(new Client({ connection, namespace: config.TEMPORAL_NAMESPACE }), config.HAPAX_TASK_QUEUE),
    outcomes: new Outcomes(database, news),
    arrivals,
    cacheEntries: config.HAPAX_ANSWER_CACHE,
    log: (message, err) => log.warn({ err }, message),
  });
  let open = true;
  const app = await createDoor({
    flows,
    gateway,
    database,
    authenticate: (bearer) => identify(tokens, bearer),
    log,
    metrics: metricsText,
    ready: async () =>
      open &&
      (await database.flush(null).then(
        () => true,
        () => false,
      )),
    newPerMinute: config.HAPAX_NEW_PER_MINUTE,
    corsOrigins: config.HAPAX_CORS_ORIGINS,
    ...(extend === undefined ? {} : { extend }),
  });
  const address = await app.listen({ host: config.HAPAX_HTTP_HOST, port: config.HAPAX_HTTP_PORT });
  return {
    address,
    ended: new Promise(() => undefined),
    async stop() {
      open = false;
      await app.close();
      await arrivals.close();
      await news.close();
      await connection.close();
      await database.close();
    },
  };
}

if (import.meta.main) await runProcess('http', () => startHttp(readConfig(settings)));
