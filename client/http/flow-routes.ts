import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import { operationStates } from '../../workflows/operation/state.ts';
import type { Reply } from '../gateway/reply.ts';
import type { Gateway } from '../gateway.ts';
import { asSent } from './as-sent.ts';
import { HttpProblem } from './http-problem.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { acceptJson, jsonLimit } from './json-body.ts';
import { preferredWait } from './prefer-wait.ts';
import type { Offer } from './offer-transfer.ts';
import { sendReply } from './send-reply.ts';
import { offered, preferHeader, problems } from './schemas.ts';

declare module 'fastify' {
  interface FastifyRequest {
    idempotencyKey: string;
  }
}

/** A POST for each declared flow: the declaration gives schema, path and whether the caller waits for the outcome. */
export function flowRoutes(app: FastifyInstance, flows: readonly AnyFlow[], gateway: Gateway, offer: Offer): void {
  acceptJson(app);
  for (const flow of flows) {
    const options = {
      config: { takesKey: true } as const,
      onRequest: requireKey,
      bodyLimit: jsonLimit,
      schema: schemaOf(flow),
      validatorCompiler: asSent,
    };
    app.post(`/v1/${flow.route}`, options, async (request, reply) => {
      const { caller } = request;
      const wait = preferredWait(request.headers.prefer, flow.answers === 'state' ? 0 : undefined);
      const answer = await gateway.ask(
        flow,
        {
          ...caller,
          key: request.idempotencyKey,
          request: request.body as never,
          requestId: request.id,
          userAgent: request.headers['user-agent'],
          admit: () => admitted(app, request),
        },
        wait,
      );
      return await respond(gateway, flow, answer, request, reply, offer);
    });
  }
}

/** Looked at before the body: a request without a key costs nothing. */
export async function requireKey(request: FastifyRequest): Promise<void> {
  const key = idempotencyKey(request.raw);
  if (key === undefined)
    throw new HttpProblem(
      'key-missing',
      'Send an Idempotency-Key that was made before the first attempt and is kept over retries, such as a random UUID, or ask POST /v1/keys for one.',
      { header: 'Idempotency-Key' },
    );
  request.idempotencyKey = key;
}

/** Whether the caller may begin something new; it is counted. */
export async function admitted(app: FastifyInstance, request: FastifyRequest): Promise<boolean> {
  const limit = await app.newOperations(request);
  return limit.isAllowed || !limit.isExceeded;
}

/** Flows that answer with their state give the current one, and what the caller is to do next. */
async function stateOf(gateway: Gateway, { id }: { id: string }, request: FastifyRequest, offer: Offer) {
  const record = await gateway.status(request.caller.tenant, id);
  if (record === undefined) throw new Error(`Operation ${id} was claimed and is gone`);
  const expires = record.deadline === null ? {} : { expiresAt: record.deadline.toISOString() };
  return { state: record.state, ...(await offer(record, request)), ...expires };
}

async function respond(
  gateway: Gateway,
  flow: AnyFlow,
  answer: Reply,
  request: FastifyRequest,
  reply: FastifyReply,
  offer: Offer,
) {
  switch (answer.kind) {
    case 'settled':
      return sendReply(request, reply, answer);
    case 'open':
      return sendReply(
        request,
        reply,
        answer,
        flow.answers === 'state' ? await stateOf(gateway, answer, request, offer) : undefined,
      );
    case 'key-reused':
      throw new HttpProblem(
        'key-reused',
        'This Idempotency-Key was used for another request: make a new key for a new request.',
        {
          header: 'Idempotency-Key',
        },
      );
    case 'key-expired':
      throw new HttpProblem(
        'key-expired',
        'The answer of this key has expired. It is not run again: look at the operation, and make a new key for a new request.',
        { header: 'Idempotency-Key' },
        { operation: answer.id },
      );
    case 'overloaded':
      throw new HttpProblem(
        'overloaded',
        'There is more work than can be done in time. Nothing was accepted: ask again with the same key after Retry-After.',
        { retryAfter: answer.retryAfter },
      );
    case 'not-admitted':
      throw new HttpProblem('too-many-requests', 'Too many new operations: wait, then ask again with the same key.');
  }
}

const answerHeaders =
  'With the answer come `Idempotency-Key` (as it was sent), `Idempotency-Status` (`created`, `joined` or `replayed`), ' +
  '`Location` (the operation), `Hapax-Workflow-Id` and `Request-Id`; with one that is kept, `Idempotency-Expires`; with ' +
  'a replay also `Idempotent-Replayed: true` and `Original-Request`; where waiting helps, `Retry-After`.';

function schemaOf(flow: AnyFlow) {
  const open = z.looseObject({ id: z.string(), state: z.enum(operationStates), ...offered });
  const succeeded = z.looseObject({ id: z.string(), state: z.literal('succeeded'), ...flow.result.shape });
  return {
    summary: flow.title,
    description: [flow.description, answerHeaders].filter((part) => part !== undefined).join('\n\n'),
    tags: [flow.route],
    body: flow.request,
    headers: z.looseObject({
      'idempotency-key': z
        .string()
        .describe('1–255 printable ASCII characters, made before the first attempt and kept over retries.')
        .meta({ examples: ['5f0c7a3e-2b9d-4c61-9d0e-7a41c2f6b8d3'] }),
      ...preferHeader,
    }),
    response: {
      ...(flow.answers === 'state'
        ? {
            201: z
              .union([open, succeeded])
              .describe('It waits for its caller and says what is next, or it has succeeded.'),
            202: open.describe('It goes on by itself, or has just ended: `Location` tells how.'),
          }
        : { 201: succeeded.describe('It has succeeded. Whoever asks again with the same key gets these same bytes.') }),
      ...problems,
    },
  };
}
