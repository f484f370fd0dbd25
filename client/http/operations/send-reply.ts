import { isUtf8 } from 'node:buffer';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { operationUrl, problemAnswer } from '../../../workflows/operation/answer.ts';
import type { Refusal } from '../../../workflows/operation/outcome.ts';
import type { OperationState } from '../../../workflows/operation/state.ts';
import type { Trouble } from '../../../workflows/operation/trouble.ts';
import type { Reply, SettledReply } from '../../gateway/reply.ts';
import { describeTrouble } from './describe-operation.ts';

/**
 * Headers that describe the answer, and so are part of it. Cookies, connection headers and any other stored header are
 * left out.
 */
const replayed = new Set([
  'content-disposition',
  'content-language',
  'content-location',
  'content-type',
  'etag',
  'last-modified',
  'link',
  'location',
  'retry-after',
]);

type Prepared = {
  readonly headers: Readonly<Record<string, string>>;
  /** A string when that gives exactly the stored bytes: Node sends a string in one piece with the headers. */
  readonly body: string | Buffer;
};

/** Made once for each reply that is kept in memory, since a replay is mostly headers. */
const prepared = new WeakMap<SettledReply, Prepared>();

function prepare(reply: SettledReply): Prepared {
  const known = prepared.get(reply);
  if (known !== undefined) return known;
  const { body } = reply.answer;
  const headers = settledHeaders(reply);
  // Fastify adds a charset to the type of a string that names none.
  const asText = isUtf8(body) && headers['content-type']?.includes('charset=') === true;
  const made = { headers, body: asText ? body.toString() : body };
  prepared.set(reply, made);
  return made;
}

function settledHeaders(reply: SettledReply): Readonly<Record<string, string>> {
  const { answer, how, originalRequest, renewable } = reply;
  const stored = Object.entries(answer.headers).filter(([name]) => replayed.has(name.toLowerCase()));
  return {
    ...commonHeaders(reply),
    ...(how === 'replayed' ? { 'idempotent-replayed': 'true', 'original-request': originalRequest } : {}),
    ...Object.fromEntries(stored),
    ...(renewable ? {} : { 'idempotency-expires': answer.expiresAt.toUTCString() }),
  };
}

function commonHeaders({ how, workflowId }: Extract<Reply, { kind: 'settled' | 'open' }>): Record<string, string> {
  return { 'idempotency-status': how, 'hapax-workflow-id': workflowId };
}

/** The state of an open operation, as the answer gives it. */
type State = {
  /** 201: the operation exists and waits for its caller. 202: it is under way. */
  readonly status: 201 | 202;
  readonly body: { readonly state: OperationState } & Readonly<Record<string, unknown>>;
};

/** Sends the result of a request. A settled answer is sent byte for byte as it was stored. */
export function sendReply(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Extract<Reply, { kind: 'settled' | 'open' }>,
  state?: State,
) {
  const key = request.headers['idempotency-key'];
  if (key !== undefined) reply.header('idempotency-key', key);
  if (answer.kind === 'settled') {
    const { headers, body } = prepare(answer);
    reply.code(answer.answer.status).headers(headers);
    // An empty body gets no type unless one was stored: Fastify would give bytes a type.
    return body.length === 0 && !reply.hasHeader('content-type') ? reply.send() : reply.send(body);
  }
  reply.headers(commonHeaders(answer));
  if (state !== undefined)
    return reply
      .code(state.status)
      .header('content-type', 'application/json; charset=utf-8')
      .header('location', operationUrl(answer.id))
      .send(JSON.stringify({ id: answer.id, ...state.body }));
  const { status, headers, body } = problemAnswer(stillOpen(answer), { requestId: request.id, operation: answer.id });
  return reply.code(status).headers(headers).send(body);
}

/** A client that waits longer would hear late of an operation that an operator has ended. Seconds. */
const longestPause = 60;

/** Before the next try there is nothing new to hear. A try that is due soon leaves the pause of the failure table. */
function untilNextTry({ nextTryAt, needsPerson }: Trouble): { readonly retryAfter?: number } {
  const left = Math.ceil((nextTryAt.getTime() - Date.now()) / 1_000);
  return needsPerson || left <= 2 ? {} : { retryAfter: Math.min(left, longestPause) };
}

/** Why there is no answer yet, and what the caller may expect. */
function stillOpen({ state, trouble }: Extract<Reply, { kind: 'open' }>): Refusal {
  const more = { state, ...(trouble === null ? {} : { trouble: describeTrouble(trouble), ...untilNextTry(trouble) }) };
  if (trouble?.needsPerson === true)
    return {
      code: 'needs-person',
      detail: `${trouble.says} A person has to look at it. Nothing is done twice: the same key gets the outcome later.`,
      more,
    };
  if (state === 'indeterminate')
    return {
      code: 'operation-indeterminate',
      detail:
        'An outside system gave no clear answer and is being asked again. Ask again with the same key: nothing is done twice.',
      more,
    };
  return {
    code: 'in-progress',
    detail: 'The operation goes on. Ask again with the same key, or look at it: nothing is done twice.',
    more,
  };
}
