import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { LedgerFault } from '../../../activities/stores/postgres/ledger-fault.ts';
import { minutes } from '../../../workflows/operation/duration.ts';
import { failure } from '../../../workflows/operation/failures.ts';
import { isSettled } from '../../../workflows/operation/state.ts';
import type { OperationChanges } from '../../gateway/operation-changes.ts';
import type { EventsTokenIssuer } from '../callers/events-token.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders } from '../documented/answer-headers.ts';
import { operationId } from '../documented/schemas.ts';
import type { StateStreams } from '../operations/live/state-streams.ts';
import { withoutSignatures } from '../operations/live/without-signatures.ts';
import { shownOperation } from '../operations/shown-operations.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { closeWhereUnread } from '../protocol/lingering-close.ts';
import type { OperationParts } from './operation-routes.ts';

type EventParts = Pick<OperationParts, 'gateway' | 'views' | 'operation'> & {
  readonly changes: OperationChanges;
  readonly streams: StateStreams;
  /** Without it a stream is opened by an ordinary token alone. */
  readonly eventsTokens?: EventsTokenIssuer;
  /** Finds the caller of a request again: who has lost access sees no more. */
  readonly identify: (request: FastifyRequest) => Promise<void> | undefined;
};

/**
 * EventSource comes back with the token that it began with. Twice as long as the longest stream, so that it can do so once. No longer,
 * since the token stands in URLs, which others may log.
 */
const tokenLives = minutes(10);

const tags = ['operations'];
const params = z.object({ id: operationId });
const { looksUp } = routeCodes;

const eventText = z
  .string()
  .describe(
    'Events `state`: `data` is what `GET /v1/operations/{id}` answers at that moment, `id` is a number that grows with each change of ' +
      'the operation and its steps. What changes besides, such as how far bytes have come, is sent within 15 s under the same `id`. ' +
      'Lines that begin with `:` only keep the connection open.',
  );

/** The states of an operation as they come, for screens. */
export function eventRoutes(instance: FastifyInstance, parts: EventParts): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const { gateway, changes, streams, eventsTokens } = parts;
  // Otherwise the process would wait for its readers.
  app.addHook('preClose', async () => streams.stop());

  app.get(
    '/v1/operations/:id/events',
    {
      // A stream without a body would be none.
      exposeHeadRoute: false,
      config: { role: 'viewer', anonymous: true, eventsToken: true },
      schema: {
        summary: 'Follow an operation, as server-sent events',
        description:
          'The first event comes at once, then one for each change, until the operation has ended. The stream also ends after some ' +
          'minutes, or where the process stops: open it again with `Last-Event-ID`, as EventSource does by itself, and it goes on ' +
          'from there. It ends within 15 s after its token has expired or its caller has lost access. Several changes at once may be ' +
          'one event; the newest state always comes. EventSource sends no headers: give it a token of ' +
          '`GET /v1/operations/{id}/events-token` as `?token=`. At any answer but 200, such as 401 or 503, EventSource gives up for ' +
          'good: open a new one then, with a new token.',
        tags,
        params,
        headers: z.looseObject({
          'last-event-id': z
            .string()
            .optional()
            .describe('The `id` of the newest event that was received. What is no such id counts as none.'),
        }),
        response: {
          200: {
            description: 'The states, one event each. It stays open.',
            headers: lookHeaders,
            content: { 'text/event-stream': { schema: eventText } },
          },
          204: z.null().describe('The operation has ended, and this was in the newest event: do not come back.'),
          ...problems(...looksUp),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { state, tenant } = await shownOperation(gateway, request.caller, id);
      const last = lastEvent(request);
      if (isSettled(state) && last !== undefined && last === (await changes.version(tenant, id)))
        return await reply.code(204).send(null);
      streams.expectRoom(request.caller);
      const to = openStream(request, reply);
      await streams.run(request.caller, {
        ...{ to, last },
        version: async () => await changes.version(tenant, id),
        watch: (tell) => changes.watch(tenant, id, tell),
        look: async () => await look(parts, request, id),
      });
      return reply;
    },
  );

  if (eventsTokens === undefined) return;
  const issued = z.object({ token: z.string(), expiresAt: z.string() });
  app.get(
    '/v1/operations/:id/events-token',
    {
      config: { role: 'viewer', anonymous: true },
      schema: {
        summary: 'Get a token that opens the events of one operation',
        description:
          'For `EventSource`, as `?token=` of `GET /v1/operations/{id}/events`. It lives for ten minutes, shows this operation to this ' +
          'caller and nothing else, and no other route takes it. A stream that it has opened ends within 15 s after it: get a new one ' +
          'then.',
        tags,
        params,
        response: {
          200: answer('The token. Each has its own.', issued, lookHeaders),
          ...problems(...looksUp),
        },
      },
    },
    async (request) => {
      const { id } = request.params;
      await shownOperation(gateway, request.caller, id);
      const expires = Date.now() + tokenLives;
      const token = eventsTokens.issue({ ...request.caller, operation: id }, expires);
      return { token, expiresAt: new Date(expires).toISOString() };
    },
  );
}

/** What is no id of ours names no event. */
function lastEvent({ headers }: FastifyRequest): number | undefined {
  const last = headers['last-event-id'];
  return typeof last === 'string' && /^\d{1,15}$/.test(last) ? Number(last) : undefined;
}

/** The answer is written as it comes, past Fastify. nginx would keep it until its buffer is full. */
function openStream(request: FastifyRequest, reply: FastifyReply) {
  reply.headers({ 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' });
  closeWhereUnread(request.raw, reply);
  reply.hijack();
  return reply.raw.writeHead(200, reply.getHeaders() as Record<string, string>);
}

/**
 * The operation as its caller may see it now.
 * @returns undefined where there is nothing more to see
 * @throws where looking again may help
 */
async function look({ views, operation, identify }: EventParts, request: FastifyRequest, id: string) {
  try {
    await identify(request);
    const shown = await views.now(request, id);
    const data = JSON.stringify(z.encode(operation, shown));
    // A member without a value is one that could not be found out now.
    const incomplete = Object.values<unknown>(shown).includes(undefined);
    return { data, says: withoutSignatures(data), settled: isSettled(shown.state), incomplete };
  } catch (error) {
    if (error instanceof LedgerFault && error.code === 'unavailable') throw error;
    if (error instanceof HttpProblem) {
      if (failure(error.refusal.code).retryable) throw error;
    } else request.log.error({ err: error }, 'an event stream failed');
    return undefined;
  }
}
