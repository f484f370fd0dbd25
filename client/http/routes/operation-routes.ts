import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { listOperations, type OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import { mayActAs } from '../../../workflows/operation/role.ts';
import { operationUrl } from '../../../workflows/operation/answer.ts';
import { isSettled, operationStates } from '../../../workflows/operation/state.ts';
import type { Gateway } from '../../gateway.ts';
import type { Additions } from '../flow-additions.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders, placeHeaders } from '../documented/answer-headers.ts';
import { describeOperation } from '../operations/describe-operation.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { longestKey } from '../protocol/idempotency-key.ts';
import { cursorPattern, readCursor, writeCursor } from '../protocol/page-cursor.ts';
import { preferredWait } from '../protocol/prefer-wait.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { operationId, preferHeader } from '../documented/schemas.ts';
import { isOwn, shownOperation, shownSubject } from '../operations/shown-operations.ts';

/** A key as the ledger stores it, without quotes. */
const key = z
  .string()
  .max(longestKey)
  .regex(/^[\x20-\x7e]*$/, 'give a key: printable ASCII characters');

/** A page fits one screen; the largest still answers in milliseconds. */
const pageSize = { usual: 50, most: 200 };
const nextUnchanged = 'give the `next` of the previous page, unchanged';
const pageRange = `give a whole number from 1 to ${pageSize.most}`;

export type OperationParts = {
  readonly gateway: Gateway;
  readonly database: Database;
  readonly flows: readonly AnyFlow[];
  readonly additions: Additions;
  /** One operation, as OpenAPI describes it. */
  readonly operation: z.ZodType;
};

export function operationRoutes(
  instance: FastifyInstance,
  { gateway, database, flows, additions, operation }: OperationParts,
): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const params = z.object({ id: operationId });
  const tags = ['operations'];

  app.get(
    '/v1/operations/:id',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Look at an operation',
        tags,
        params,
        headers: z.looseObject(preferHeader),
        response: {
          200: answer('The operation as it is now, or as it ended.', operation, lookHeaders),
          ...problems(...routeCodes.looksUp),
        },
      },
    },
    async (request) => {
      let record = await shownOperation(gateway, request.caller, request.params.id);
      const wait = preferredWait(request.headers.prefer, 0);
      if (wait > 0 && !isSettled(record.state)) {
        await gateway.settled(record.tenant, record.id, wait);
        record = await shownOperation(gateway, request.caller, record.id);
      }
      // A signed transfer lets its holder write, so only callers that may send the bytes get one.
      const acts = mayActAs(request.caller.role, 'caller') && isOwn(request.caller, record);
      return {
        ...describeOperation(flowOf(flows, record), record, request.caller),
        ...(acts ? await additions.offer(record, request) : {}),
      };
    },
  );

  const querystring = z.strictObject({
    flow: z.enum(flows.map(({ name }) => name)).optional(),
    key: key.optional(),
    state: z
      .enum([...operationStates, 'open', 'settled'])
      .optional()
      .describe('A state, or a group of them: `open` has not ended, `settled` has.'),
    trouble: z.enum(['true', 'false']).optional().describe('`true`: only operations that make no progress.'),
    limit: z.coerce
      .number(pageRange)
      .int({ error: pageRange, abort: true })
      .min(1, pageRange)
      .max(pageSize.most, pageRange)
      .default(pageSize.usual),
    after: z
      .string()
      .regex(cursorPattern, { error: nextUnchanged, abort: true })
      .refine((cursor) => readCursor(cursor) !== undefined, nextUnchanged)
      .optional()
      .describe('`next` of the previous page'),
  });
  const page = z.object({ operations: z.array(operation), next: z.string().regex(cursorPattern).optional() });
  app.get(
    '/v1/operations',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'List operations, newest first',
        tags,
        querystring,
        response: {
          200: answer('One page. `next` is present while older operations may follow.', page, lookHeaders),
          ...problems(),
        },
      },
    },
    async (request) => {
      const { limit, after, state, trouble, ...filter } = request.query;
      const grouped = state === 'open' || state === 'settled';
      const records = await listOperations(database, {
        ...request.caller,
        subject: shownSubject(request.caller),
        ...filter,
        ...(grouped ? { settled: state === 'settled' } : { state }),
        ...(trouble === undefined ? {} : { trouble: trouble === 'true' }),
        before: after === undefined ? undefined : readCursor(after),
        limit,
      });
      const last = records.length === limit ? records.at(-1) : undefined;
      return {
        operations: records.map((record) => describeOperation(flowOf(flows, record), record, request.caller)),
        ...(last === undefined ? {} : { next: writeCursor(last) }),
      };
    },
  );

  const accepted = z.object({ id: z.string(), state: z.enum(operationStates), cancelRequested: z.boolean() });
  app.post(
    '/v1/operations/:id/cancel',
    {
      schema: {
        summary: 'Request a cancel; repeatable, needs no key',
        tags,
        params,
        response: {
          202: answer(
            'The cancel is in time, or has already been done: `Location` shows how the operation ends.',
            accepted,
            placeHeaders,
          ),
          ...problems(...routeCodes.looksUp, ...routeCodes.takesBody, ...routeCodes.cancels),
        },
      },
    },
    async (request, reply) => {
      const record = await shownOperation(gateway, request.caller, request.params.id);
      const decision = await gateway.cancel(record);
      const { id, state } =
        decision === 'already-settled' ? await shownOperation(gateway, request.caller, record.id) : record;
      const answerRequested = () =>
        reply.code(202).header('location', operationUrl(id)).send({ id, state, cancelRequested: true });
      switch (decision) {
        case 'requested':
          return answerRequested();
        case 'already-settled':
          // A repeated cancel that has been done: the second caller gets the same answer as the first.
          if (state === 'cancelled') return answerRequested();
          throw new HttpProblem(
            'already-settled',
            `The operation has ended as ${state}: it cannot be cancelled.`,
            { state },
            { operation: id },
          );
        case 'past-no-return':
          throw new HttpProblem(
            'past-no-return',
            'The operation is past its point of no return: it only goes forward.',
            { state },
            { operation: id },
          );
        case 'missing':
          throw new HttpProblem('not-found', 'There is no such operation.');
      }
    },
  );
}

/** @returns undefined when this build does not know the operation's flow */
export function flowOf(flows: readonly AnyFlow[], { flow }: OperationRecord): AnyFlow | undefined {
  return flows.find(({ name }) => name === flow);
}
