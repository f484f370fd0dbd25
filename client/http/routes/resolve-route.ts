import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type {
  Resolution,
  ResolveDecision,
} from '../../../activities/stores/postgres/ledger/resolutions/record-resolution.ts';
import type { StepDeclaration } from '../../../workflows/operation/step-declaration.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders } from '../documented/answer-headers.ts';
import { describeOperation } from '../operations/describe-operation.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { acceptJson, jsonLimit } from '../protocol/json-body.ts';
import { flowOf } from '../operations/operation-views.ts';
import type { OperationParts } from './operation-routes.ts';
import { requestInvalid } from '../problems/request-invalid.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { operationId } from '../documented/schemas.ts';
import { shownOperation } from '../operations/shown-operations.ts';

/** Long enough for a paragraph and a link; it stands in the ledger for good. */
const words = z.string().trim().min(1).max(2_000);

const common = {
  step: z.string().min(1).max(100),
  evidence: words.describe('Where it can be seen, such as an id at the outside system.'),
  reason: words.describe('Why you decide it now.'),
};

const body = z
  .discriminatedUnion('outcome', [
    z.strictObject({ ...common, outcome: z.literal('no-effect').describe('The step has not happened.') }),
    z.strictObject({
      ...common,
      outcome: z.literal('done').describe('The step has happened.'),
      result: z
        .record(z.string(), z.unknown())
        .describe('What the step has given, in the form that its flow declares; the step looks whether it is so.'),
    }),
  ])
  .meta({
    examples: [
      {
        step: 'capture',
        outcome: 'no-effect',
        evidence: 'pi_4711 is canceled at the provider',
        reason: 'The provider answers nothing else.',
      },
      {
        step: 'capture',
        outcome: 'done',
        result: { paymentIntent: 'pi_4711' },
        evidence: "The provider's dashboard shows pi_4711 as captured",
        reason: 'Its API has been away for an hour.',
      },
    ],
  });

type Body = z.output<typeof body>;

/**
 * A person ends what trying again does not: what became of a step in trouble. The story goes on from there, or is undone.
 */
export function resolveRoute(
  instance: FastifyInstance,
  { gateway, flows, operation }: Omit<OperationParts, 'views'>,
): void {
  acceptJson(instance);
  instance.withTypeProvider<ZodTypeProvider>().post(
    '/v1/operations/:id/resolve',
    {
      config: { role: 'operator' },
      bodyLimit: jsonLimit,
      schema: {
        summary: 'Say what became of a step in trouble; repeatable, needs no key',
        description:
          'For the step that shows as `trouble`. `resolutions` of the operation tells what becomes of your word, usually within ' +
          'seconds. \n\n' +
          '- `no-effect`: the operation is undone, and ends as `refused` with the code `stopped-by-operator`; an optional step ' +
          'is left out, and the operation goes on. A step whose effect nothing takes back is given up only once none of its ' +
          'requests can be under way.\n' +
          '- `done`: the code of the step looks at the outside system whether it is so. If it is, the operation goes on with ' +
          'that result; if not, your word lapses, and the step is tried as before.',
        tags: ['operations'],
        params: z.object({ id: operationId }),
        body,
        response: {
          200: answer('The operation, with your word among its `resolutions`.', operation, lookHeaders),
          ...problems(...routeCodes.looksUp, ...routeCodes.takesBody, ...routeCodes.resolves),
        },
      },
    },
    async (request) => {
      const record = await shownOperation(gateway, request.caller, request.params.id);
      const steps = flowOf(flows, record)?.steps ?? {};
      const { step } = request.body;
      const declared = Object.hasOwn(steps, step) ? steps[step] : undefined;
      if (declared === undefined) {
        const names = Object.keys(steps).join(', ');
        throw new HttpProblem('request-invalid', `There is no step ${step}: give one of ${names}.`, {
          errors: [{ pointer: '/step', detail: `give one of ${names}` }],
        });
      }
      if (declared.effect === 'await' && request.body.outcome === 'done')
        throw new HttpProblem(
          'not-in-doubt',
          `Step ${step} waits for what comes from outside, and nothing was sent: it is done once that has come. Have it brought, ` +
            'or cancel the operation.',
        );
      const decision = await gateway.resolve(record, declared, {
        ...found(request.body, declared),
        by: request.caller.subject,
      });
      if (decision !== 'resolved') throw refusal(decision, step, record.id);
      const now = await shownOperation(gateway, request.caller, record.id);
      return describeOperation(flowOf(flows, now), now, request.caller);
    },
  );
}

/** @throws HttpProblem where the result is not what the step gives, or where nothing could look whether it is so */
function found(body: Body, { resolvedAs }: StepDeclaration): Omit<Resolution, 'by'> & Body {
  if (body.outcome === 'no-effect') return body;
  if (resolvedAs === undefined)
    throw new HttpProblem(
      'request-invalid',
      `Step ${body.step} cannot be resolved as done, since its code has no way to look whether it is so. ` +
        `Say 'no-effect', or wait for it.`,
      { errors: [{ pointer: '/outcome', detail: `give 'no-effect'` }] },
    );
  const { success, data, error } = resolvedAs.safeParse(body.result);
  if (!success)
    throw requestInvalid(
      error.issues.map(({ path, message }) => ({ instancePath: `/${['result', ...path].join('/')}`, message })),
    );
  return { ...body, result: data };
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
        `The ledger knows better: step ${step} is not in doubt. Resolve the step that \`trouble\` names; as done, only ` +
          'while it is `sent` or `unknown`.',
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
        `Somebody has said something else of step ${step}, and that counts. See \`resolutions\` of the operation.`,
        { step },
        { operation },
      );
  }
}
