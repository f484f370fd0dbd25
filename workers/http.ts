import type { FastifyInstance } from 'fastify';
import { connectSystems } from '../activities/outside/connect-systems.ts';
import { systems, systemSettings } from '../activities/outside/systems.ts';
import { EndpointSecrets } from '../activities/seal/endpoint-secrets.ts';
import { EventsTokens } from '../activities/seal/events-tokens.ts';
import { Seals } from '../activities/seal/seals.ts';
import { SubjectTokens } from '../activities/seal/subject-tokens.ts';
import { answersClaims } from '../activities/stores/postgres/ledger/answers-claims.ts';
import { bucketProof } from '../activities/stores/postgres/ground/bucket-proofs.ts';
import { admissionCheck } from '../client/http/health/admission-check.ts';
import { EventHandlers } from '../client/events/event-handlers.ts';
import { Inbox } from '../client/events/inbox.ts';
import { additions } from '../client/http/additions.ts';
import { createDoor } from '../client/http/door.ts';
import type { Check } from '../client/http/health/readiness.ts';
import { StateStreams } from '../client/http/operations/live/state-streams.ts';
import { connectGateway } from '../client/gateway/connect.ts';
import { Uploads } from '../client/uploads/uploads.ts';
import { uploadTerms } from '../client/uploads/upload-terms.ts';
import { milliseconds, seconds } from '../workflows/operation/duration.ts';
import { flows } from '../workflows/flows.ts';
import { signupFlow } from '../workflows/signup.flow.ts';
import { uploadFlow } from '../workflows/upload.flow.ts';
import { BucketCors } from './bucket-cors.ts';
import { callerSettings, readCallers } from './callers.ts';
import { type Config, ConfigFault, readConfig } from './config.ts';
import { connectS3, s3Settings } from './connect-s3.ts';
import { sayGround } from './ground.ts';
import { createLogger } from './logger.ts';
import { type Running, runProcess } from './process.ts';
import { payloadSettings, readPayloadCodec } from './payload-codec.ts';
import { registrations, settlesInClaim } from './registrations.ts';
import { readSealKeys, sealSettings } from './seals.ts';
import { signupTerms } from './signup-terms.ts';
import {
  beacons,
  bodies,
  copies,
  deliveries,
  countFlushes,
  countIntegrity,
  metricsText,
  problems,
  requests,
  showAdmission,
  showStreams,
} from './telemetry.ts';

const settings = [
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'HAPAX_HTTP_HOST',
  'HAPAX_HTTP_PORT',
  'HAPAX_TASK_QUEUE',
  'HAPAX_LOG_LEVEL',
  'HAPAX_NEW_PER_MINUTE',
  'HAPAX_ASKS_PER_KEY',
  'HAPAX_CORS_ORIGINS',
  'HAPAX_ANSWER_CACHE',
  'REDIS_URL',
  'HAPAX_PUBLIC_URL',
  'HAPAX_TAKEN_ADDRESSES',
  'HAPAX_S3_WEBHOOK_SECRET',
  'HAPAX_DESTINATIONS',
  'HAPAX_WEBHOOKS',
  'HAPAX_WEBHOOK_LOOPBACK',
  ...callerSettings,
  ...sealSettings,
  ...payloadSettings,
  ...systemSettings,
  ...s3Settings,
] as const;

/** How long requests under way may take once the process gets a signal to stop. Supervisors kill after 10 s. */
const drain = seconds(5);
/** Callers keep connections for later. One that becomes idle during the drain is closed within this time. */
const idleLook = milliseconds(100);

const takesRequests: Check = { name: 'process', state: 'holds', says: 'Takes requests.' };
const stops: Check = { name: 'process', state: 'failed', says: 'Is stopping: send requests elsewhere.' };
const decidesClaims: Check = { name: 'ledger', state: 'holds', says: 'PostgreSQL decides claims.' };
const decidesNone: Check = {
  name: 'ledger',
  state: 'failed',
  says: 'PostgreSQL does not decide claims: check that DATABASE_URL reaches it, and run `npm run migrate`.',
};

/** The HTTP API as a process. It holds no state that another one would miss. */
export async function startHttp(
  config: Pick<Config, (typeof settings)[number]>,
  extend?: (app: FastifyInstance) => void,
): Promise<Running> {
  const log = createLogger('http', config.HAPAX_LOG_LEVEL);
  const sealKeys = readSealKeys(config);
  const seals = new Seals(sealKeys);
  const subjectTokens = new SubjectTokens(sealKeys);
  const openCallers = readCallers(config, subjectTokens);
  const payloadCodec = readPayloadCodec(config);
  const handlers = new EventHandlers(flows);
  const faults = handlers.faults(config.HAPAX_WEBHOOKS.all);
  if (faults.length > 0) throw new ConfigFault(faults.join('\n'));
  const registered = await registrations();
  const connected = await connectGateway({
    databaseUrl: config.DATABASE_URL,
    temporalAddress: config.TEMPORAL_ADDRESS,
    namespace: config.TEMPORAL_NAMESPACE,
    taskQueue: config.HAPAX_TASK_QUEUE,
    cacheEntries: config.HAPAX_ANSWER_CACHE,
    asksPerKey: config.HAPAX_ASKS_PER_KEY,
    redisUrl: config.REDIS_URL,
    countCopy: (became) => copies.inc({ became }),
    ...{ seals, payloadCodec },
    terms: { [uploadFlow.name]: uploadTerms(config.HAPAX_DESTINATIONS), [signupFlow.name]: signupTerms },
    inClaim: (database) => settlesInClaim(database, registered, seals),
    log: (message, err) => log.warn({ err }, message),
    count: (flow, decision, layer) => requests.inc({ flow, decision, layer }),
  });
  const { gateway, database, admission, changes } = connected;
  countFlushes(() => database.flushes);
  const streams = new StateStreams();
  showStreams(() => streams.open);
  showAdmission(() => admission.state);
  // When the first buyer is sent to a bank: the provider's package takes a quarter of a second to load.
  let outside: ReturnType<typeof connectSystems<typeof systems>> | undefined;
  const reachOutside = () => (outside ??= connectSystems(systems, config));
  const objects = connectS3(config);
  const uploads = new Uploads({
    ...{ database, objects, gateway, destinations: config.HAPAX_DESTINATIONS },
    log: (message, err) => log.warn({ err }, message),
  });
  const cors = new BucketCors(objects, config.HAPAX_CORS_ORIGINS, log);
  void cors.set();
  const callers = await openCallers(log);
  let open = true;
  const app = await createDoor({
    flows,
    gateway,
    database,
    inbox: new Inbox({ database, sources: config.HAPAX_WEBHOOKS, handlers }),
    countDelivery: (source, became) => deliveries.inc({ source, became }),
    countBeacon: (kept) => beacons.inc(kept),
    additions: additions({
      gateway,
      database,
      uploads,
      publicUrl: config.HAPAX_PUBLIC_URL,
      revealsTakenAddresses: config.HAPAX_TAKEN_ADDRESSES === 'reveal',
      askNextAction: async (payment) => (await reachOutside()).clients.payments.provider.nextAction(payment),
      countBody: (body) => bodies.inc(body),
      notices: { bucket: objects.bucket, secret: config.HAPAX_S3_WEBHOOK_SECRET },
    }),
    authenticate: callers.authenticate,
    issueSubject: (who, until) => subjectTokens.issue(who, until),
    ...{ changes, streams, eventsTokens: new EventsTokens(sealKeys) },
    log,
    metrics: metricsText,
    countProblem: (refusal) => {
      problems.inc({ code: refusal.code });
      countIntegrity(refusal);
    },
    ready: async () => {
      const [claims, store, known] = await Promise.all([
        answersClaims(database),
        bucketProof(database, objects),
        callers.check(),
      ]);
      return [
        open ? takesRequests : stops,
        claims ? decidesClaims : decidesNone,
        ...connected.proofs(),
        store,
        ...cors.checks,
        known,
        admissionCheck(admission.state),
      ];
    },
    newPerMinute: config.HAPAX_NEW_PER_MINUTE,
    corsOrigins: config.HAPAX_CORS_ORIGINS,
    endpoints: {
      rules: { loopback: config.HAPAX_WEBHOOK_LOOPBACK === 'on' },
      secrets: new EndpointSecrets(seals),
    },
    ...(extend === undefined ? {} : { extend }),
  });
  sayGround(log, [...connected.proofs(), await bucketProof(database, objects)]);
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
      await callers.close();
      await connected.close();
      await (await outside)?.close();
      cors.close();
      objects.close();
    },
  };
}

if (import.meta.main) await runProcess('http', () => startHttp(readConfig(settings)));
