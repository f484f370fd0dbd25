import type { FastifyInstance } from 'fastify';
import { answersClaims } from '../activities/stores/postgres/answers-claims.ts';
import { admissionCheck } from '../client/http/admission-check.ts';
import { createDoor } from '../client/http/door.ts';
import { connectGateway } from '../client/gateway/connect.ts';
import { Uploads } from '../client/gateway/uploads.ts';
import { milliseconds, seconds } from '../workflows/operation/duration.ts';
import { flows } from '../workflows/flows.ts';
import { type Config, readConfig } from './config.ts';
import { connectS3, s3Settings } from './connect-s3.ts';
import { createLogger } from './logger.ts';
import { type Running, runProcess } from './process.ts';
import { countFlushes, metricsText, requests, showAdmission } from './telemetry.ts';
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
  'HAPAX_PUBLIC_URL',
  ...s3Settings,
] as const;

/** What is under way may take this long to be answered when the door is told to stop; supervisors kill after 10 s. */
const drain = seconds(5);
/** Callers keep connections for later: one that has become idle while the door drains is closed within this time. */
const idleLook = milliseconds(100);

/** The door for the network. It holds no state that another door would miss. */
export async function startHttp(
  config: Pick<Config, (typeof settings)[number]>,
  extend?: (app: FastifyInstance) => void,
): Promise<Running> {
  const log = createLogger('http', config.HAPAX_LOG_LEVEL);
  const tokens = readTokens(config.HAPAX_TOKENS);
  const connected = await connectGateway({
    databaseUrl: config.DATABASE_URL,
    temporalAddress: config.TEMPORAL_ADDRESS,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: config.HAPAX_TASK_QUEUE,
    cacheEntries: config.HAPAX_ANSWER_CACHE,
    log: (message, err) => log.warn({ err }, message),
    count: (flow, decision, layer) => requests.inc({ flow, decision, layer }),
  });
  const { gateway, database, admission } = connected;
  countFlushes(() => database.flushes);
  showAdmission(() => admission.state);
  const objects = connectS3(config);
  const uploads = new Uploads({ database, objects, gateway, log: (message, err) => log.warn({ err }, message) });
  let open = true;
  const app = await createDoor({
    flows,
    gateway,
    database,
    uploads,
    publicUrl: config.HAPAX_PUBLIC_URL,
    authenticate: (bearer) => identify(tokens, bearer),
    log,
    metrics: metricsText,
    ready: async () => [
      open
        ? { name: 'process', state: 'holds', says: 'Takes requests.' }
        : { name: 'process', state: 'failed', says: 'Is stopping: send requests elsewhere.' },
      (await answersClaims(database))
        ? { name: 'ledger', state: 'holds', says: 'PostgreSQL decides claims.' }
        : {
            name: 'ledger',
            state: 'failed',
            says: 'PostgreSQL does not decide claims: see that DATABASE_URL reaches it, and run `npm run migrate`.',
          },
      admissionCheck(admission.state),
    ],
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
      const idle = setInterval(() => app.server.closeIdleConnections(), idleLook);
      const late = setTimeout(() => app.server.closeAllConnections(), drain);
      await app.close();
      clearInterval(idle);
      clearTimeout(late);
      await connected.close();
      objects.close();
    },
  };
}

if (import.meta.main) await runProcess('http', () => startHttp(readConfig(settings)));
