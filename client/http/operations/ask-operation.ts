import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import type { Reply } from '../../gateway/reply.ts';
import type { Gateway } from '../../gateway.ts';
import type { Additions } from '../flow-additions.ts';
import { isOwn } from './shown-operations.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { clientClass } from '../protocol/client-class.ts';

type Parts = {
  readonly app: FastifyInstance;
  readonly gateway: Gateway;
  readonly additions: Pick<Additions, 'refusal'>;
};

type Asking = {
  readonly flow: AnyFlow;
  readonly key: string;
  /** As the caller sent it; it fits the flow's schema. */
  readonly body: unknown;
  /** Milliseconds. */
  readonly wait: number;
};

/** The operation exists, by this request or an earlier one. */
export type Taken = Extract<Reply, { kind: 'settled' | 'open' }>;

/**
 * Begins an operation or joins it, whatever protocol the request came by.
 * @throws HttpProblem when the key was used otherwise, or nothing was accepted
 */
export async function askOperation(
  { app, gateway, additions }: Parts,
  request: FastifyRequest,
  asking: Asking,
): Promise<Taken> {
  const { flow, key, body, wait } = asking;
  const answer = await gateway.ask(
    flow,
    {
      ...request.caller,
      key,
      request: body as never,
      requestId: request.id,
      userAgent: request.headers['user-agent'],
      client: clientClass(request.headers),
      admit: async () => (await additions.refusal(flow)) === undefined && (await admitted(app, request)),
    },
    wait,
  );
  switch (answer.kind) {
    case 'settled':
    case 'open':
      return answer;
    case 'key-reused': {
      const fields = await differing(gateway, request, answer.id, asking);
      const named = fields.length === 0 ? '' : ` Other than there: ${fields.join(', ')}.`;
      throw new HttpProblem(
        'key-reused',
        `This Idempotency-Key was used for another request: make a new key for a new request.${named}`,
        { header: 'Idempotency-Key', ...(fields.length === 0 ? {} : { fields }) },
      );
    }
    case 'key-expired':
      throw new HttpProblem(
        'key-expired',
        'The answer for this key has expired, and the request is not run again: look at the operation, and make a new key for a new request.',
        { header: 'Idempotency-Key' },
        { operation: answer.id },
      );
    case 'erased':
      throw new HttpProblem(
        'erased',
        'The data of this key were erased, its answer included, and the request is not run again: make a new key for a new request.',
        { header: 'Idempotency-Key' },
        { operation: answer.id },
      );
    case 'overloaded':
      throw new HttpProblem(
        'overloaded',
        'There is more work than can be done in time. Nothing was accepted: ask again with the same key after Retry-After.',
        { retryAfter: answer.retryAfter },
      );
    case 'asked-too-often':
      throw new HttpProblem(
        'too-many-requests',
        'The operation of this key goes on, and was asked for too often meanwhile: ask again with the same key after Retry-After, or look at the operation. Nothing is done twice.',
        { retryAfter: answer.retryAfter },
        { operation: answer.id },
      );
    case 'not-taken': {
      const { code, detail, more } = answer.refusal;
      throw new HttpProblem(code, detail, more);
    }
    case 'not-admitted': {
      const refusal = await additions.refusal(flow);
      if (refusal !== undefined) throw new HttpProblem(refusal.code, refusal.detail);
      throw new HttpProblem('too-many-requests', 'Too many new operations: wait, then ask again with the same key.');
    }
  }
}

/** Whether the caller may begin a new operation. Each call is counted. */
export async function admitted(app: FastifyInstance, request: FastifyRequest): Promise<boolean> {
  const limit = await app.newOperations(request);
  return limit.isAllowed || !limit.isExceeded;
}

/** The fields that the key's own request has otherwise. Their values stay unsaid. */
async function differing(
  gateway: Gateway,
  { caller }: FastifyRequest,
  id: string,
  { flow, body }: Asking,
): Promise<readonly string[]> {
  const record = await gateway.status(caller.tenant, id);
  if (record === undefined || !isOwn(caller, record)) return [];
  return gateway.differing(flow, record, body as Readonly<Record<string, unknown>>);
}
