import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import {
  deleteEndpoint,
  enableEndpoint,
  listEndpoints,
  readEndpoint,
} from '../../../activities/stores/postgres/outbox/webhook-endpoints.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders, requestHeaders } from '../documented/answer-headers.ts';
import { pageLimit } from '../operations/page-query.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { cursorOf, cursorPattern, readCursor, writeCursor } from '../protocol/page-cursor.ts';
import { createEndpointRoute, type EndpointParts } from './create-endpoint-route.ts';
import { endpointId, endpointSchema, endpointView } from './endpoint-view.ts';
import { rotateSecretRoute } from './rotate-secret-route.ts';

const tags = ['webhook endpoints'];
const cursor = cursorOf(endpointId);
const params = z.object({ id: endpointId });

/** Where a tenant has its events posted to: for people. */
export async function endpointRoutes(instance: FastifyInstance, parts: EndpointParts): Promise<void> {
  lookRoutes(instance, parts.database);
  await instance.register(async (scope) => changeRoutes(scope, parts.database));
  await instance.register(async (scope) => rotateSecretRoute(scope, parts));
  // Reading JSON is for this POST alone.
  await instance.register(async (scope) => createEndpointRoute(scope, parts));
}

function lookRoutes(instance: FastifyInstance, database: Database): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  app.get(
    '/v1/webhook-endpoints',
    {
      config: { role: 'people' },
      schema: {
        summary: 'List the endpoints for webhooks, the latest first',
        tags,
        querystring: z.strictObject({ limit: pageLimit, after: cursor.optional() }),
        response: {
          200: answer(
            'One page. `next` is present while earlier ones may follow.',
            z.object({ endpoints: z.array(endpointSchema), next: z.string().regex(cursorPattern).optional() }),
            lookHeaders,
          ),
          ...problems(),
        },
      },
    },
    async ({ query: { limit, after }, caller }) => {
      const from = after === undefined ? undefined : readCursor(after, endpointId);
      const page = await listEndpoints(database, { ...caller, limit, after: from });
      const last = page.length === limit ? page.at(-1) : undefined;
      return { endpoints: page.map(endpointView), ...(last === undefined ? {} : { next: writeCursor(last) }) };
    },
  );

  app.get(
    '/v1/webhook-endpoints/:id',
    {
      config: { role: 'people' },
      schema: {
        summary: 'Look at an endpoint for webhooks',
        tags,
        params,
        response: {
          200: answer('The endpoint, without its secret.', endpointSchema, lookHeaders),
          ...problems(...routeCodes.looksUp),
        },
      },
    },
    async ({ params: { id }, caller }) => {
      const endpoint = await readEndpoint(database, { ...caller, id });
      if (endpoint === undefined || endpoint.deleted) throw unknown();
      return endpointView(endpoint);
    },
  );
}

function changeRoutes(instance: FastifyInstance, database: Database): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  app.delete(
    '/v1/webhook-endpoints/:id',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Delete an endpoint for webhooks, with what has not been sent to it; repeatable, needs no key',
        tags,
        params,
        response: {
          200: answer('It is deleted.', z.object({ id: endpointId, state: z.literal('deleted') }), requestHeaders),
          ...problems(...routeCodes.looksUp, ...routeCodes.takesBody),
        },
      },
    },
    async ({ params: { id }, caller }) => {
      if (!(await deleteEndpoint(database, { ...caller, id }))) throw unknown();
      return { id, state: 'deleted' as const };
    },
  );

  app.post(
    '/v1/webhook-endpoints/:id/enable',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Enable an endpoint for webhooks again; repeatable, needs no key',
        description:
          'Events that were told while it was disabled are not sent. What was to be sent to it by then is a dead letter: replay it.',
        tags,
        params,
        response: {
          200: answer('The endpoint, which is enabled.', endpointSchema, requestHeaders),
          ...problems(...routeCodes.looksUp, ...routeCodes.takesBody),
        },
      },
    },
    async ({ params: { id }, caller }) => {
      const endpoint = await enableEndpoint(database, { ...caller, id });
      if (endpoint === undefined) throw unknown();
      return endpointView(endpoint);
    },
  );
}

function unknown(): HttpProblem {
  return new HttpProblem('not-found', 'There is no such endpoint.');
}
