import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import {
  type DeadLetter,
  deadLetters,
  letterState,
  replayDeadLetter,
} from '../../../activities/stores/postgres/inbox/dead-letters.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders, requestHeaders } from '../documented/answer-headers.ts';
import { pageLimit } from '../operations/page-query.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { cursorOf, cursorPattern, readCursor, writeCursor } from '../protocol/page-cursor.ts';

const letterId = z.string().regex(/^dl_[0-9a-z]{26}$/, "give the id of a dead letter: 'dl_' and 26 characters");
const cursor = cursorOf(letterId);
const name = z.string().min(1).max(200);

const letter = z.object({
  id: letterId,
  state: z
    .enum(['parked', 'dead'])
    .describe(
      '`parked`: tried again by itself, or when what it waits for is done. `dead`: tried again when it is replayed.',
    ),
  handler: z
    .string()
    .describe(
      'Who was to handle it, or the consumer; of a message, the way by which it was to leave: `mail`, `sms`, `webhook` or `event` (the broker).',
    ),
  source: z
    .string()
    .describe(
      'Who sent the event; the source of a consumed message, or its stream; `outbox` of a message that did not leave.',
    ),
  event: z.string().describe("The sender's id of the event, or the id of the message."),
  type: z.string(),
  object: z.string().optional().describe('What it is about.'),
  operation: z
    .string()
    .optional()
    .describe('What the handler began or joined, or the operation that told the message.'),
  code: z.string(),
  detail: z.string(),
  tries: z.int(),
  receivedAt: z.string(),
  changedAt: z.string(),
  nextAt: z.string().optional(),
  endpoint: z.string().optional().describe('Of a webhook: the endpoint to which it was to go.'),
  requestId: z.string().describe('Of the first delivery; of a message, the request that began its operation.'),
});

/** What came to us and could not be handled, and what did not leave: for people. */
export function deadLetterRoutes(instance: FastifyInstance, database: Database): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const tags = ['dead letters'];

  app.get(
    '/v1/dead-letters',
    {
      config: { role: 'people' },
      schema: {
        summary: 'List what could not be handled or delivered, the latest first',
        tags,
        querystring: z.strictObject({
          state: z.enum(['parked', 'dead']).optional(),
          source: name.optional(),
          handler: name.optional(),
          limit: pageLimit,
          after: cursor.optional(),
        }),
        response: {
          200: answer(
            'One page. `next` is present while earlier ones may follow.',
            z.object({ deadLetters: z.array(letter), next: z.string().regex(cursorPattern).optional() }),
            lookHeaders,
          ),
          ...problems(),
        },
      },
    },
    async ({ query: { after, ...query }, caller }) => {
      const from = after === undefined ? undefined : readCursor(after, letterId);
      const page = await deadLetters(database, caller.tenant, {
        environment: caller.environment,
        ...{ state: query.state, source: query.source, handler: query.handler, limit: query.limit },
        after: from && { changedAt: from.createdAt, id: from.id },
      });
      const last = page.length === query.limit ? page.at(-1) : undefined;
      return {
        deadLetters: page.map(shown),
        ...(last === undefined ? {} : { next: writeCursor({ createdAt: last.changedAt, id: last.id }) }),
      };
    },
  );

  app.post(
    '/v1/dead-letters/:id/replay',
    {
      config: { role: 'operator' },
      schema: {
        summary: 'Have a dead letter handled or delivered again, under the same ids; repeatable, needs no key',
        tags,
        params: z.object({ id: letterId }),
        response: {
          202: answer(
            'It is tried again, or is being tried.',
            z.object({ id: letterId, state: z.literal('due') }),
            requestHeaders,
          ),
          ...problems(...routeCodes.looksUp, ...routeCodes.takesBody, ...routeCodes.replays),
        },
      },
    },
    async ({ params: { id }, caller: { tenant, environment } }, reply) => {
      const again = await replayDeadLetter(database, tenant, environment, id);
      const state = again ? 'due' : await letterState(database, tenant, environment, id);
      if (state === 'due') return reply.code(202).send({ id, state });
      if (state === undefined) throw new HttpProblem('not-found', 'There is no such dead letter.');
      throw new HttpProblem(
        'not-a-dead-letter',
        'It has been handled, delivered or erased meanwhile: there is nothing to replay.',
      );
    },
  );
}

function shown({ object, operation, endpoint, receivedAt, changedAt, nextAt, ...rest }: DeadLetter) {
  return {
    ...rest,
    ...(object === null ? {} : { object }),
    ...(operation === null ? {} : { operation }),
    ...(endpoint === null ? {} : { endpoint }),
    receivedAt: receivedAt.toISOString(),
    changedAt: changedAt.toISOString(),
    ...(nextAt === null ? {} : { nextAt: nextAt.toISOString() }),
  };
}
