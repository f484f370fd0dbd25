import type { FastifyReply, FastifyRequest } from 'fastify';
import { operationUrl, problemAnswer } from '../../workflows/operation/outcome.ts';
import type { Reply } from '../gateway.ts';

/** What describes an answer, and so is a part of it. Cookies, the connection's own and whatever else was stored stay behind. */
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

/** Writes what became of a request. A settled answer leaves byte for byte as it was stored. */
export function sendReply(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Extract<Reply, { kind: 'settled' | 'open' }>,
  state?: Readonly<Record<string, unknown>>,
) {
  const key = request.headers['idempotency-key'];
  reply.headers({
    'cache-control': 'no-store',
    ...(key === undefined ? {} : { 'idempotency-key': key }),
    'idempotency-status': answer.how,
    'hapax-workflow-id': answer.workflowId,
  });
  if (answer.how === 'replayed')
    reply.headers({ 'idempotent-replayed': 'true', 'original-request': answer.originalRequest });
  if (answer.kind === 'settled') {
    const { status, headers, body, expiresAt } = answer.answer;
    for (const name in headers) if (replayed.has(name.toLowerCase())) reply.header(name, headers[name]);
    return reply.code(status).header('idempotency-expires', expiresAt.toUTCString()).send(body);
  }
  if (state !== undefined)
    return reply
      .code(201)
      .header('content-type', 'application/json; charset=utf-8')
      .header('location', operationUrl(answer.id))
      .send(JSON.stringify({ id: answer.id, state: answer.state, ...state }));
  const doubtful = answer.state === 'indeterminate';
  const { status, headers, body } = problemAnswer(
    {
      code: doubtful ? 'operation-indeterminate' : 'in-progress',
      detail: doubtful
        ? 'An outside system gave no clear answer and is being asked again. Ask again with the same key: nothing is done twice.'
        : 'The operation goes on. Ask again with the same key, or look at it: nothing is done twice.',
      more: { state: answer.state },
    },
    { requestId: request.id, operation: answer.id },
  );
  return reply.code(status).headers(headers).send(body);
}
