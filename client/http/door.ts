import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import underPressure from '@fastify/under-pressure';
import fastify, { type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import {
  jsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import type { Database } from '../../activities/stores/postgres/database.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import type { Gateway } from '../gateway.ts';
import { answerProblems, answerUnroutable } from './answer-problems.ts';
import { type Authenticate, authenticateRequest } from './authenticate.ts';
import { answerBrokenRequest } from './broken-request.ts';
import type { Uploads } from '../gateway/uploads.ts';
import { flowRoutes } from './flow-routes.ts';
import { ignoreBodies } from './ignore-bodies.ts';
import { limitBodies } from './body-arrival.ts';
import { keyRoutes } from './key-routes.ts';
import { offerTransfer } from './offer-transfer.ts';
import { operationRoutes } from './operation-routes.ts';
import { rememberMethods } from './other-methods.ts';
import { problemPages } from './problem-pages.ts';
import { resolveRoute } from './resolve-route.ts';
import { type Check, isReady, readinessText } from './readiness.ts';
import { requireSoundExpectation } from './sound-expectation.ts';
import { requireSoundHost } from './sound-host.ts';
import { uploadRoutes } from './upload-routes.ts';

export type DoorParts = {
  readonly flows: readonly AnyFlow[];
  readonly gateway: Gateway;
  readonly database: Database;
  readonly authenticate: Authenticate;
  readonly log: Logger;
  readonly metrics: () => Promise<string>;
  /** What the door needs before it may be sent work, and whether it holds now. */
  readonly ready: () => Promise<readonly Check[]>;
  /** New operations that one subject may begin in a minute. */
  readonly newPerMinute: number;
  readonly corsOrigins: readonly string[];
  readonly uploads: Uploads;
  /** The door's address as callers see it; by default what they asked for. */
  readonly publicUrl?: string | undefined;
  /** Further routes inside the authenticated part, such as a flow's own. */
  readonly extend?: (app: FastifyInstance) => void;
};

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts one more new operation of the caller. */
    newOperations: ReturnType<FastifyInstance['createRateLimit']>;
  }
}

/** Slow headers are an attack, looked for each second; slow bodies may be a slow line with a large file (an hour for 5 GiB at 1.4 MB/s). */
const headersTimeout = 8_000;
const connectionsCheckingInterval = 1_000;
const requestTimeout = 3_600_000;
/** Answers that are this late are better refused. */
const pressure = { maxEventLoopDelay: 3_000, retryAfter: 2 };

/** What pages of other origins may do; without PUT they could not send the bytes of an upload. */
const methods = ['GET', 'HEAD', 'POST', 'PUT'];

const exposed = [
  'Idempotency-Key',
  'Idempotency-Status',
  'Idempotency-Expires',
  'Idempotent-Replayed',
  'Original-Request',
  'Link',
  'Location',
  'Retry-After',
  'Request-Id',
  'Hapax-Workflow-Id',
];

/** The network's door: derived from the flows' declarations, problem+json from the one failure table. */
export async function createDoor(parts: DoorParts): Promise<FastifyInstance> {
  const app = fastify({
    loggerInstance: parts.log,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => `req_${crypto.randomUUID()}`,
    requestIdHeader: false,
    requestTimeout,
    // A missing Host is refused below, in the form of all refusals.
    http: { headersTimeout, connectionsCheckingInterval, requireHostHeader: false },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerUnroutable,
    routerOptions: { maxParamLength: 300 },
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  ignoreBodies(app);
  limitBodies(app);
  answerProblems(app, parts.log);
  rememberMethods(app);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('request-id', request.id);
    requireSoundHost(request.raw, false);
    // A key on a question changes nothing, and its sender is told so.
    if (isQuestion(request) && request.headers['idempotency-key'] !== undefined)
      reply.header('idempotency-status', 'ignored');
  });
  requireSoundExpectation(app);
  await app.register(underPressure, { ...pressure, exposeStatusRoute: false });
  await app.register(cors, {
    origin: [...parts.corsOrigins],
    methods,
    exposedHeaders: exposed,
    strictPreflight: false,
  });
  await app.register(rateLimit, {
    global: false,
    max: parts.newPerMinute,
    timeWindow: '1 minute',
    keyGenerator: ({ caller }: FastifyRequest) => `${caller.tenant}/${caller.environment}/${caller.subject}`,
  });
  app.decorate('newOperations', app.createRateLimit());
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Hapax', version: '1', description: 'Operations that happen once.' },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  await app.register(swaggerUi, { routePrefix: '/docs', theme: { title: 'Hapax' } });
  await app.register(async (open) => serviceRoutes(open, parts));
  await app.register(async (guarded) => {
    guarded.addHook('onRequest', async (request, reply) => {
      // What one caller may see is kept for nobody else, and tells of a moment.
      reply.header('cache-control', 'no-store');
      authenticateRequest(request, parts.authenticate);
      requireSoundHost(request.raw, true);
    });
    const offer = offerTransfer(parts.uploads, parts.publicUrl);
    operationRoutes(guarded, { ...parts, offer });
    await guarded.register(async (scope) => resolveRoute(scope, { ...parts, offer }));
    keyRoutes(guarded, parts.database);
    await guarded.register(async (scope) => flowRoutes(scope, parts.flows, parts.gateway, offer));
    await guarded.register(async (scope) => uploadRoutes(scope, parts.gateway, parts.uploads));
    parts.extend?.(guarded);
  });
  return app;
}

function isQuestion({ method }: FastifyRequest): boolean {
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
}
