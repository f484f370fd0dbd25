import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import { operationUrl } from '../../../workflows/operation/answer.ts';
import { operationStates } from '../../../workflows/operation/state.ts';
import type { Gateway } from '../../gateway.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders, placeHeaders } from '../documented/answer-headers.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { cursorPattern } from '../protocol/page-cursor.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { operationId, preferHeader } from '../documented/schemas.ts';
import type { OperationViews } from '../operations/operation-views.ts';
import { pageQuery } from '../operations/page-query.ts';
import { shownOperation } from '../operations/shown-operations.ts';

export type OperationParts = {
  readonly gateway: Gateway;
  readonly flows: readonly AnyFlow[];
  readonly views: OperationViews;
  /** One operation, as OpenAPI describes it. */
  readonly operation: z.ZodType;
};

export function operationRoutes(instance: FastifyInstance, { gateway, flows, views, operation }: OperationParts): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const params = z.object({ id: operationId });
  const tags = ['operations'];

  app.get(
    '/v1/operations/:id',
    {
      config: { role: 'viewer', anonymous: true },
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
    async (request) => await views.look(request, request.params.id),
  );

  const querystring = z.strictObject({ flow: z.enum(flows.map(({ name }) => name)).optional(), ...pageQuery });
  const page = z.object({ operations: z.array(operation), next: z.string().regex(cursorPattern).optional() });
  app.get(
    '/v1/operations',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'List operations, newest first',
        description:
          'Callers see those of their own subject, viewers and operators those of all. A client that has lost what it kept finds with ' +
          '`state=open` what it has begun and not finished.',
        tags,
        querystring,
        response: {
          200: answer('One page. `next` is present while older operations may follow.', page, lookHeaders),
          ...problems(),
        },
      },
    },
    async (request) => await views.page(request, request.query, { flow: request.query.flow }),
  );

  const accepted = z.object({ id: z.string(), state: z.enum(operationStates), cancelRequested: z.boolean() });
  app.post(
    '/v1/operations/:id/cancel',
    {
      config: { anonymous: true },
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
