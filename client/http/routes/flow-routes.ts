import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type AnyFlow, firstWait, isPosted, type PostedFlow } from '../../../workflows/operation/flow.ts';
import { operationStates } from '../../../workflows/operation/state.ts';
import type { Reply } from '../../gateway/reply.ts';
import type { Gateway } from '../../gateway.ts';
import { answer as documented } from '../documented/answer.ts';
import { flowHeaders } from '../documented/answer-headers.ts';
import { flowExamples } from '../documented/flow-examples.ts';
import { askOperation, type Taken } from '../operations/ask-operation.ts';
import { asSent } from '../protocol/as-sent.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { fitsForm, formType, mayBringKey } from '../protocol/form-body.ts';
import { idempotencyKey } from '../protocol/idempotency-key.ts';
import { keySchema } from '../protocol/key-schema.ts';
import { acceptJson, jsonLimit } from '../protocol/json-body.ts';
import { preferredWait } from '../protocol/prefer-wait.ts';
import type { Additions } from '../flow-additions.ts';
import { describeWait } from '../operations/describe-operation.ts';
import { sendReply } from '../operations/send-reply.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { collectionOf, flowRoute } from './route-params.ts';
import { preferHeader, waits } from '../documented/schemas.ts';

declare module 'fastify' {
  interface FastifyRequest {
    idempotencyKey: string;
  }
}

/** A POST for each declared flow: the declaration gives schema, path and whether the caller waits for the outcome. */
export function flowRoutes(
  app: FastifyInstance,
  flows: readonly AnyFlow[],
  gateway: Gateway,
  additions: Additions,
): void {
  acceptJson(app);
  for (const flow of flows.filter(isPosted)) {
    const { path, params, body, bodyless } = flowRoute(flow);
    const keyed = flow.contentKey === undefined;
    const form = fitsForm(body) ? { form: keyed ? ('keyed' as const) : ('keyless' as const) } : undefined;
    const options = {
      config: {
        takesKey: true,
        role: additions.role(flow),
        anonymous: flow.anonymous === true,
        ...(bodyless ? { bodyless } : {}),
        ...form,
      } as const,
      onRequest: keyed ? requireKey : takeKey,
      bodyLimit: jsonLimit,
      schema: {
        ...schemaOf(flow, additions),
        ...(form === undefined ? {} : { consumes: ['application/json', formType] }),
        body,
        ...(params === undefined ? {} : { params }),
      },
      validatorCompiler: asSent,
    };
    app.post(path, options, async (request, reply) => {
      const wait = preferredWait(request.headers.prefer, additions.waits(flow) ? undefined : 0);
      // What stands in the path is part of what is asked for.
      const body = { ...(request.body as object), ...(request.params as object) };
      await additions.expectAllowed(flow, body, request);
      const content = { ...request.caller, request: body as never };
      const key = request.idempotencyKey || (await gateway.keyOfContent(flow, content));
      // Where no header has named the key, the answer does: its caller can go on with it.
      if (request.headers['idempotency-key'] === undefined) reply.header('idempotency-key', key);
      const asking = { flow, key, body, wait };
      const answer = await askOperation({ app, gateway, additions }, request, asking);
      return await respond(gateway, flow, answer, request, reply, additions);
    });
  }
}

/** Checked before the body is read, unless that is a form: a request without a key costs nothing. */
export function requireKey(request: FastifyRequest, _reply: FastifyReply, next: () => void): void {
  const key = idempotencyKey(request.raw);
  if (key === undefined && !mayBringKey(request))
    throw new HttpProblem(
      'key-missing',
      'Send an Idempotency-Key that was made before the first attempt and is reused for every retry, such as a random UUID, or get one from POST /v1/keys.',
      { header: 'Idempotency-Key' },
    );
  request.idempotencyKey = key ?? '';
  next();
}

/** For a flow that derives a key from the content where none is sent. One that is sent counts, and has to be sound. */
function takeKey(request: FastifyRequest, _reply: FastifyReply, next: () => void): void {
  request.idempotencyKey = idempotencyKey(request.raw) ?? '';
  next();
}

/**
 * Answers with the current state and what the caller has to do next. If the operation has ended in the meantime,
 * answers with its outcome: a caller that reads `succeeded` must get the result too.
 */
async function respondWithState(
  gateway: Gateway,
  flow: AnyFlow,
  open: Extract<Reply, { kind: 'open' }>,
  request: FastifyRequest,
  reply: FastifyReply,
  additions: Additions,
) {
  const record = await gateway.status(request.caller.tenant, open.id);
  if (record === undefined) throw new Error(`Operation ${open.id} was claimed and is gone`);
  const { state } = record;
  if (record.settledAt !== null && record.answer.kind === 'kept') {
    const { answer, renewable } = record;
    return sendReply(request, reply, { ...open, kind: 'settled', answer, state: record.state, renewable });
  }
  // A repeated request gets the same status as the first, for as long as the operation waits for its caller.
  const offered = firstWait(flow) !== undefined && (state === 'claimed' || state === 'waiting');
  const body = { state, ...(await additions.offer(record, request)), ...describeWait(flow, record) };
  return sendReply(request, reply, open, { status: offered ? 201 : 202, body });
}

async function respond(
  gateway: Gateway,
  flow: AnyFlow,
  answer: Taken,
  request: FastifyRequest,
  reply: FastifyReply,
  additions: Additions,
) {
  switch (answer.kind) {
    case 'settled':
      return sendReply(request, reply, answer);
    case 'open':
      return flow.answers === 'state' || answer.state === 'waiting'
        ? await respondWithState(gateway, flow, answer, request, reply, additions)
        : sendReply(request, reply, answer);
  }
}

function schemaOf(flow: PostedFlow, additions: Additions) {
  const offered = additions.offered(flow);
  const open = z.looseObject({ id: z.string(), state: z.enum(operationStates), ...waits, ...offered });
  const succeeded = z.looseObject({ id: z.string(), state: z.literal('succeeded'), ...flow.result.shape });
  const examples = flowExamples(flow);
  const { takesBody, takesKey, runs, looksUp } = routeCodes;
  return {
    summary: flow.title,
    ...(flow.description === undefined ? {} : { description: flow.description }),
    tags: [collectionOf(flow)],
    headers: z.looseObject({
      'idempotency-key': flow.contentKey === undefined ? keySchema : keySchema.optional(),
      ...preferHeader,
    }),
    response: {
      ...(flow.answers === 'state'
        ? {
            201:
              firstWait(flow) === undefined
                ? documented(
                    'The operation has succeeded.',
                    succeeded.meta({ examples: examples.succeeded }),
                    flowHeaders,
                  )
                : documented(
                    'The operation waits for its caller and says what to do next, or it has succeeded.',
                    z.union([open, succeeded]).meta({ examples: [...examples.waiting, ...examples.succeeded] }),
                    flowHeaders,
                  ),
            202: documented(
              'The operation goes on by itself, or has just ended: look at `Location`.',
              open.meta({ examples: [...examples.running] }),
              flowHeaders,
            ),
          }
        : {
            201: documented(
              'The operation has succeeded. Ask again with the same key and you get these same bytes.',
              succeeded.meta({ examples: examples.succeeded }),
              flowHeaders,
            ),
            ...(Object.values(flow.steps).some(({ effect }) => effect === 'await')
              ? {
                  202: documented(
                    'The operation waits for something from outside, and says what comes next.',
                    open.meta({ examples: examples.waiting }),
                    flowHeaders,
                  ),
                }
              : {}),
          }),
      ...problems(
        ...[...takesBody, ...takesKey, ...runs, ...flow.refusals, ...(flow.declines ?? [])],
        ...(additions.mayRefuse(flow) ? looksUp : []),
      ),
    },
  };
}
