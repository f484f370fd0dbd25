import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ResolveDecision } from '../../activities/stores/postgres/resolve-step.ts';
import { answer } from './answer.ts';
import { lookHeaders } from './answer-headers.ts';
import { describeOperation } from './describe-operation.ts';
import { HttpProblem } from './http-problem.ts';
import { acceptJson, jsonLimit } from './json-body.ts';
import { flowOf, type OperationParts } from './operation-routes.ts';
import { problems, routeCodes } from './route-problems.ts';
import { operationId, operationSchema } from './schemas.ts';
import { shownOperation } from './shown-operations.ts';

/** Long enough for a paragraph and a link; it stands in the ledger for good. */
const words = z.string().trim().min(1).max(2_000);

const body = z
  .strictObject({
    step: z.string().min(1).max(100),
    outcome: z.literal('no-effect').describe('The step has not happened.'),
    evidence: words.describe('Where it can be seen, such as an id at the outside system.'),
    reason: words.describe('Why you decide it now.'),
  })
  .meta({
    examples: [
      {
        step: 'capture',
        outcome: 'no-effect',
        evidence: 'pi_4711 is canceled at the provider',
        reason: 'The provider answers nothing else.',
      },
    ],
  });

/**
 * A person ends what trying again does not: a step in trouble has had no effect, and the operation is undone.
 */
export function resolveRoute(instance: FastifyInstance, { gateway, flows }: OperationParts): void {
  acceptJson(instance);
  instance.withTypeProvider<ZodTypeProvider>().post(
    '/v1/operations/:id/resolve',
    {
      config: { role: 'operator' },
      bodyLimit: jsonLimit,
      schema: {
        summary: 'Say that a step in trouble has had no effect; repeatable, needs no key',
        description:
          'For the step that shows as `trouble`. The operation is undone, and ends as `refused` with the code ' +
          '`stopped-by-operator`. A request that is still on its way is taken back by the undo of its step, so a step whose ' +
          'effect nothing takes back cannot be resolved while it may still happen.',
        tags: ['operations'],
        params: z.object({ id: operationId }),
        body,
        response: {
          200: answer('The operation, with the step resolved.', operationSchema, lookHeaders),
          ...problems(...routeCodes.looksUp, ...routeCodes.takesBody, ...routeCodes.resolves),
        },
      },
    },
    async (request) => {
      const record = await shownOperation(gateway, request.caller, request.params.id);
      const { step, outcome, evidence, reason } = request.body;
      const names = Object.keys(flowOf(flows, record)?.steps ?? {});
      if (!names.includes(step))
        throw new HttpProblem('request-invalid', `There is no step ${step}: give one of ${names.join(', ')}.`, {
          errors: [{ pointer: '/step', detail: `give one of ${names.join(', ')}` }],
        });
      const by = request.caller.subject;
      const decision = await gateway.resolve(record, { step, outcome, evidence, reason, by });
      if (decision !== 'resolved') throw refusal(decision, step, record.id);
      const now = await shownOperation(gateway, request.caller, record.id);
      return describeOperation(flowOf(flows, now), now);
    },
  );
}

function refusal(decision: Exclude<ResolveDecision, 'resolved'>, step: string, operation: string): HttpProblem {
  switch (decision) {
    case 'missing':
      return new HttpProblem('not-found', 'There is no such operation.');
    case 'already-settled':
      return new HttpProblem('already-settled', 'The operation has ended: there is nothing to resolve.', undefined, {
        operation,
      });
    case 'compensating':
      return new HttpProblem(
        'not-in-doubt',
        'The operation is being undone, and its undos find out by themselves what has happened.',
        { step },
        { operation },
      );
    case 'not-in-doubt':
      return new HttpProblem(
        'not-in-doubt',
        `The ledger knows better: step ${step} is not in doubt. Resolve the step that \`trouble\` names, once it has been sent.`,
        { step },
        { operation },
      );
    case 'may-still-happen':
      return new HttpProblem(
        'past-no-return',
        `The effect of ${step} cannot be taken back, and its request may still arrive: only the outside system can end this.`,
        { step },
        { operation },
      );
    case 'forward-only':
      return new HttpProblem(
        'past-no-return',
        'Something has happened that cannot be taken back, so the operation only goes forward.',
        { step },
        { operation },
      );
    case 'resolved-otherwise':
      return new HttpProblem(
        'resolved-otherwise',
        `Step ${step} has been resolved with another evidence or reason. The first resolution stands.`,
        { step },
        { operation },
      );
  }
}
