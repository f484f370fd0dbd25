import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import type { Database } from '../../activities/stores/postgres/database.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import { longestTransfer } from '../../workflows/upload.flow.ts';
import type { Inbox } from '../events/inbox.ts';
import type { Gateway } from '../gateway.ts';
import type { OperationChanges } from '../gateway/operation-changes.ts';
import { answerProblems, answerUnroutable } from './problems/answer-problems.ts';
import { type Authenticate, authenticateRequest } from './callers/authenticate.ts';
import { answerBrokenRequest } from './protocol/broken-request.ts';
import { beaconRoutes, type CountBeacon } from './beacons/beacon-routes.ts';
import { configRoute } from './routes/config-route.ts';
import { corsTerms } from './protocol/cors-terms.ts';
import { deadLetterRoutes } from './events/dead-letter-routes.ts';
import { type CountDelivery, webhookRoutes } from './events/webhook-routes.ts';
import { differenceRoutes } from './payments/difference-routes.ts';
import { eventRoutes } from './routes/event-routes.ts';
import { StateStreams } from './operations/live/state-streams.ts';
import type { EventsTokenIssuer } from './callers/events-token.ts';
import { documentRoute } from './documented/document-route.ts';
import { documentWhole } from './documented/document-whole.ts';
import { OperationViews } from './operations/operation-views.ts';
import { collectionRoutes } from './routes/collection-routes.ts';
import { flowRoutes } from './routes/flow-routes.ts';
import { ignoreBodies } from './protocol/ignore-bodies.ts';
import { limitBodies } from './protocol/body-arrival.ts';
import { keyRoutes } from './routes/key-routes.ts';
import { lingerOnClose } from './protocol/lingering-close.ts';
import type { Additions } from './flow-additions.ts';
import { operationSchema } from './documented/schemas.ts';
import { operationRoutes } from './routes/operation-routes.ts';
import { overrideMethod } from './protocol/method-override.ts';
import { tusPath } from './uploads/tus/tus-headers.ts';
import { answerOtherMethods } from './protocol/other-methods.ts';
import { problemPages } from './problems/problem-pages.ts';
import { requestLog } from './request-log.ts';
import { resolveRoute } from './routes/resolve-route.ts';
import { type IssueSubject, subjectRoutes } from './routes/subject-routes.ts';
import { type Check, isReady, readinessText } from './health/readiness.ts';
import { mostNewOperations } from './callers/most-new-operations.ts';
import { documentRoles, requireRole } from './callers/require-role.ts';
import type { EndpointParts } from './webhook-endpoints/create-endpoint-route.ts';
import { endpointRoutes } from './webhook-endpoints/endpoint-routes.ts';
import { requireSoundCoding } from './protocol/sound-coding.ts';
import { requireSoundExpectation } from './protocol/sound-expectation.ts';
import { requireSoundHost } from './protocol/sound-host.ts';
import { originForm, requireSoundTarget } from './protocol/sound-target.ts';

type DoorParts = {
  readonly flows: readonly AnyFlow[];
  readonly gateway: Gateway;
  readonly database: Database;
  readonly authenticate: Authenticate;
  readonly log: Logger;
  readonly metrics: () => Promise<string>;
  /** Called with the code of each problem that is answered. */
  readonly countProblem?: (refusal: Refusal) => void;
  /** What the HTTP API needs before it may get requests, and whether each part holds now. */
  readonly ready: () => Promise<readonly Check[]>;
  /** New operations that one subject may begin in a minute. */
  readonly newPerMinute: number;
  readonly corsOrigins: readonly string[];
  readonly additions: Additions;
  /** Where events of other systems go. */
  readonly inbox: Inbox;
  /** Called with what became of each delivery of an event. */
  readonly countDelivery?: CountDelivery;
  /** Called with each beacon that is new. */
  readonly countBeacon?: CountBeacon;
  /** Where outgoing webhooks may go. Default: addresses of the Internet alone. */
  readonly endpoints?: Omit<EndpointParts, 'database'>;
  /** Signs tokens for browsers without a user; without it there are none. */
  readonly issueSubject?: IssueSubject;
  /** Tells which operations have changed. */
  readonly changes: OperationChanges;
  /** The event streams that are open. */
  readonly streams?: StateStreams;
  /** Signs tokens that open event streams, and reads them; without it there are none. */
  readonly eventsTokens?: EventsTokenIssuer;
  /** Further routes behind authentication. */
  readonly extend?: (app: FastifyInstance) => void;
};

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts one new operation of the caller. */
    newOperations: ReturnType<FastifyInstance['createRateLimit']>;
  }
}

/** Slow headers are an attack, so connections are checked each second. Milliseconds. */
const headersTimeout = 8_000;
const connectionsCheckingInterval = 1_000;
/** Bodies are bounded where they are read. A body that slips through still ends before the sweep that follows an upload. */
const requestTimeout = longestTransfer;
/** Longer than every id and code: a longer parameter names nothing we know. Characters. */
const maxParamLength = 300;

const bearerScheme = {
  type: 'http',
  scheme: 'bearer',
  description:
    'A JWT of the configured issuer, an API key (`hpx_live_…`, `hpx_test_…`), a token of `POST /v1/subjects` (`hpa_…`), or a static token of a local stack. It names ' +
    'the tenant, the environment, the subject and the role. Each route lists the least role that may use it, or `viewer` and ' +
    '`operator` where it shows what concerns every subject:\n\n' +
    '- `viewer` looks at the operations of its tenant and environment, and changes nothing\n' +
    '- `caller` begins, looks at and cancels operations of its own subject\n' +
    '- `operator` is a caller that also looks at and cancels the operations of every subject, and resolves steps in doubt',
} as const;

const eventsTokenScheme = {
  type: 'apiKey',
  in: 'query',
  name: 'token',
  description: 'A token of `GET /v1/operations/{id}/events-token`, for EventSource, which sends no headers.',
} as const;

/** The HTTP API. Its routes come from the flows' declarations, and its problem+json answers from the one failure table. */
export async function createDoor(parts: DoorParts): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: parts.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => `req_${crypto.randomUUID()}`,
    requestIdHeader: false,
    requestTimeout,
    // A missing Host is refused below, in the same form as every refusal.
    http: { headersTimeout, connectionsCheckingInterval, requireHostHeader: false },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerUnroutable,
    rewriteUrl: originForm,
    routerOptions: { maxParamLength },
  }) as unknown as FastifyInstance;
  app.setChildLoggerFactory(requestLog);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  overrideMethod(app, tusPath);
  lingerOnClose(app);
  ignoreBodies(app);
  limitBodies(app);
  answerProblems(app, parts.log, parts.countProblem ?? (() => undefined));
  // This first hook is async to give Node's parser a turn: a fault that the parser finds after the headers is answered
  // before any refusal of ours. Later hooks use a callback when they have nothing to wait for, which saves each request
  // a promise.
  app.addHook('onRequest', async (request, reply) => {
    reply.header('request-id', request.id);
    requireSoundHost(request.raw, false);
    requireSoundTarget(request.raw);
    requireSoundCoding(request.raw, reply);
    // A key has no effect on a read, and the answer says so.
    if (isRead(request) && request.headers['idempotency-key'] !== undefined)
      reply.header('idempotency-status', 'ignored');
  });
  requireSoundExpectation(app);
  answerOtherMethods(app, { maxParamLength });
  await app.register(cors, {
    ...corsTerms,
    origin: [...parts.corsOrigins],
    strictPreflight: false,
  });
  await app.register(rateLimit, {
    global: false,
    max: ({ caller }: FastifyRequest) => mostNewOperations(caller, parts.newPerMinute),
    timeWindow: '1 minute',
    keyGenerator: ({ caller }: FastifyRequest) => `${caller.tenant}/${caller.environment}/${caller.subject}`,
  });
  app.decorate('newOperations', app.createRateLimit());
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Hapax', version: '1', description: 'Operations that happen once.' },
      components: { securitySchemes: { token: bearerScheme, eventsToken: eventsTokenScheme } },
      security: [{ token: [] }],
    },
    transform: documentRoute,
    transformObject: documentWhole(parts.flows),
  });
  await app.register(swaggerUi, { routePrefix: '/docs', theme: { title: 'Hapax' } });
  await app.register(async (open) => serviceRoutes(open, parts));
  await parts.additions.registerOpen(app);
  await app.register(async (open) => webhookRoutes(open, parts.inbox, parts.countDelivery ?? (() => undefined)));
  await app.register(async (guarded) => {
    documentRoles(guarded);
    guarded.addHook('onRequest', (request, reply, next) => {
      // The answer is for this caller only, and is true only for a moment: no cache may keep it.
      reply.header('cache-control', 'no-store');
      const letOn = (): void => {
        requireRole(request);
        requireSoundHost(request.raw, true);
      };
      const later = authenticateRequest(request, parts);
      if (later !== undefined) return later.then(letOn);
      letOn();
      next();
      return undefined;
    });
    const { flows, gateway, additions, database, endpoints = { rules: { loopback: false } } } = parts;
    const operation = operationSchema(additions.everything);
    const views = new OperationViews(parts);
    operationRoutes(guarded, { ...parts, views, operation });
    collectionRoutes(guarded, { ...parts, views, operation });
    const streams = parts.streams ?? new StateStreams();
    const identify = (request: FastifyRequest) => authenticateRequest(request, parts);
    eventRoutes(guarded, { ...parts, views, operation, streams, identify });
    await guarded.register(async (scope) => resolveRoute(scope, { ...parts, operation }));
    keyRoutes(guarded, database);
    if (parts.issueSubject !== undefined) subjectRoutes(guarded, parts.issueSubject);
    await guarded.register(async (scope) => beaconRoutes(scope, database, parts.countBeacon ?? (() => undefined)));
    await guarded.register(async (scope) => deadLetterRoutes(scope, database));
    await guarded.register(async (scope) => await differenceRoutes(scope, database));
    await guarded.register(async (scope) => await endpointRoutes(scope, { database, ...endpoints }));
    await guarded.register(async (scope) => flowRoutes(scope, flows, gateway, additions));
    await additions.register(guarded);
    parts.extend?.(guarded);
  });
  return app;
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

function serviceRoutes(app: FastifyInstance, { metrics, ready, flows }: DoorParts): void {
  const schema = { hide: true };
  app.get('/', { schema }, (_, reply) => reply.redirect('/docs'));
  app.get('/healthz', { schema }, () => 'ok\n');
  app.get<{ Querystring: { verbose?: string } }>('/readyz', { schema }, async ({ query }, reply) => {
    const checks = await ready();
    return reply.code(isReady(checks) ? 200 : 503).send(readinessText(checks, query.verbose !== undefined));
  });
  app.get('/metrics', { schema }, async (_, reply) => reply.type('text/plain; version=0.0.4').send(await metrics()));
  app.get('/openapi.json', { schema }, () => app.swagger());
  problemPages(app, flows);
  configRoute(app, flows);
}
