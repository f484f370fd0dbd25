import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { type Difference, differences, endDifference } from '../../../activities/stores/postgres/money/differences.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders } from '../documented/answer-headers.ts';
import { pageLimit } from '../operations/page-query.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { acceptJson, jsonLimit } from '../protocol/json-body.ts';
import { cursorOf, cursorPattern, readCursor, writeCursor } from '../protocol/page-cursor.ts';

const differenceId = z.string().regex(/^df_[0-9a-f]{26}$/, "give the id of a difference: 'df_' and 26 characters");
const cursor = cursorOf(differenceId);

const money = z.object({ minor: z.int(), currency: z.string() });
const example = {
  id: `df_${'0'.repeat(26)}`,
  kind: 'refund-failed',
  says: "The buyer's bank has sent the refund back: pay the buyer in another way.",
  object: 're_4711',
  payment: 'pi_4711',
  order: 'ord_00000000000000000000000000',
  operation: 'op_00000000000000000000000000',
  ours: { minor: 2500, currency: 'eur' },
  theirs: { minor: 0, currency: 'eur' },
  since: '2026-11-27T12:00:00.000Z',
} as const;
const ended = {
  ...example,
  endedAt: '2026-11-28T09:30:00.000Z',
  endedBy: 'ann',
  reason: 'Paid to the buyer by bank transfer on 2026-11-27.',
} as const;
const difference = z.object({
  id: differenceId,
  kind: z
    .enum(['refund-failed', 'amount-differs', 'missing-at-provider', 'money-held', 'unknown-payment'])
    .describe('What to do about each kind: docs/payments.md.'),
  says: z.string().describe('What is wrong, for a person.'),
  object: z.string().describe("What it is about, by the provider's id."),
  payment: z.string().optional(),
  order: z.string().optional(),
  operation: z.string().optional().describe('The operation behind it, where there is one.'),
  ours: money.optional().describe('What we have booked.'),
  theirs: money.optional().describe('What the provider shows.'),
  since: z.string(),
  endedAt: z.string().optional(),
  endedBy: z.string().optional().describe('Who has dealt with it; left out where it was over by itself.'),
  reason: z.string().optional(),
});

/** Money that does not add up: for people. */
export async function differenceRoutes(instance: FastifyInstance, database: Database): Promise<void> {
  listRoute(instance, database);
  // Reading JSON is for a POST alone.
  await instance.register(async (scope) => settleRoute(scope, database));
}

const tags = ['money'];

function listRoute(instance: FastifyInstance, database: Database): void {
  instance.withTypeProvider<ZodTypeProvider>().get(
    '/v1/differences',
    {
      config: { role: 'people' },
      schema: {
        summary: 'List money that does not add up, the latest first',
        tags,
        querystring: z.strictObject({
          open: z.enum(['true', 'false']).optional().describe('`true`: only what is not dealt with yet.'),
          limit: pageLimit,
          after: cursor.optional(),
        }),
        response: {
          200: answer(
            'One page. `next` is present while earlier ones may follow.',
            z
              .object({ differences: z.array(difference), next: z.string().regex(cursorPattern).optional() })
              .meta({ examples: [{ differences: [example] }] }),
            lookHeaders,
          ),
          ...problems(),
        },
      },
    },
    async ({ query: { after, open, limit }, caller }) => {
      const from = after === undefined ? undefined : readCursor(after, differenceId);
      const page = await differences(database, caller.tenant, {
        environment: caller.environment,
        open: open === undefined ? undefined : open === 'true',
        limit,
        after: from && { since: from.createdAt, id: from.id },
      });
      const last = page.length === limit ? page.at(-1) : undefined;
      return {
        differences: page.map(shown),
        ...(last === undefined ? {} : { next: writeCursor({ createdAt: last.since, id: last.id }) }),
      };
    },
  );
}

function settleRoute(instance: FastifyInstance, database: Database): void {
  acceptJson(instance);
  instance.withTypeProvider<ZodTypeProvider>().post(
    '/v1/differences/:id/settle',
    {
      config: { role: 'operator' },
      bodyLimit: jsonLimit,
      schema: {
        summary: 'Say that a difference was dealt with, and how; repeatable, needs no key',
        description: 'The first reason counts, and stays. The operation behind it is in trouble no more.',
        tags,
        params: z.object({ id: differenceId }),
        body: z
          .strictObject({ reason: z.string().trim().min(1).max(2_000).describe('What was done about it, and where.') })
          .meta({ examples: [{ reason: ended.reason }] }),
        response: {
          200: answer('The difference, which has ended.', difference.meta({ examples: [ended] }), lookHeaders),
          ...problems(...routeCodes.looksUp, ...routeCodes.takesBody),
        },
      },
    },
    async ({ params: { id }, body: { reason }, caller: { tenant, environment, subject } }) => {
      const settled = await endDifference(database, tenant, { id, environment, by: subject, reason });
      if (settled === undefined) throw new HttpProblem('not-found', 'There is no such difference.');
      return shown(settled);
    },
  );
}

function shown({ id, kind, says, object, payment, order, operation, currency, ...rest }: Difference) {
  const { ours, theirs, since, endedAt, endedBy, reason } = rest;
  return {
    ...{ id, kind, says, object },
    ...(payment === null ? {} : { payment }),
    ...(order === null ? {} : { order }),
    ...(operation === null ? {} : { operation }),
    ...(ours === null ? {} : { ours: { minor: ours, currency } }),
    ...(theirs === null ? {} : { theirs: { minor: theirs, currency } }),
    since: since.toISOString(),
    ...(endedAt === null ? {} : { endedAt: endedAt.toISOString() }),
    ...(endedBy === null ? {} : { endedBy }),
    ...(reason === null ? {} : { reason }),
  };
}
