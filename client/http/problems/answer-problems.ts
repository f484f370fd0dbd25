import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { LedgerFault } from '../../../activities/stores/postgres/ledger-fault.ts';
import type { FailureCode } from '../../../workflows/operation/failures.ts';
import { FingerprintUnknown } from '../../../workflows/operation/fingerprint.ts';
import { integrityCause } from '../../../workflows/operation/integrity.ts';
import type { Refusal } from '../../../workflows/operation/outcome.ts';
import { problemAnswer, problemUrl } from '../../../workflows/operation/answer.ts';
import { HttpProblem } from './http-problem.ts';
import { keyToEcho } from '../protocol/idempotency-key.ts';
import { closeWhereUnread } from '../protocol/lingering-close.ts';
import { type Issue, requestInvalid } from './request-invalid.ts';

/**
 * Answers every error with problem+json from the one failure table. Internal details are never shown.
 * @param count called with each
 */
export function answerProblems(app: FastifyInstance, log: Logger, count: (refusal: Refusal) => void): void {
  app.setErrorHandler((error, request, reply) => {
    const { bodyLimit } = request.routeOptions;
    const found = problemOf(error, { bodyLimit, contentType: request.headers['content-type'] });
    const problem = request.headers.via === undefined ? found : passedOn(found);
    count(problem.refusal);
    if (problem.refusal.code === 'internal') log.error({ err: error, requestId: request.id }, 'a request failed');
    return sendProblem(request, reply, problem);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(request, reply, new HttpProblem('not-found', 'There is nothing at this path.')),
  );
}

/** Answers what the router refuses before any hook has run. */
export function answerUnroutable(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  reply.header('request-id', request.id);
  closeWhereUnread(request.raw, reply);
  void sendProblem(request, reply, problemOf(error));
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, { refusal, about }: HttpProblem) {
  const { status, headers, body } = problemAnswer(refusal, { ...about, requestId: request.id });
  reply.headers({ ...headers, 'cache-control': 'no-store' });
  const key = keyToEcho(request);
  if (key !== undefined) reply.header('idempotency-key', key);
  if (refusal.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="hapax"');
  if (refusal.code.startsWith('key-')) reply.header('link', `<${problemUrl(refusal.code)}>; rel="describedby"`);
  return reply.code(status).send(body);
}

/** Bytes that are not those of their digest, and came through a proxy, may have been changed by it. */
function passedOn(problem: HttpProblem): HttpProblem {
  const { code, detail, more } = problem.refusal;
  const cause = integrityCause(problem.refusal);
  if (cause !== 'part-checksum' && cause !== 'whole-hash') return problem;
  return new HttpProblem(code, detail, { ...more, cause: 'proxy' }, problem.about);
}

/** Fastify's own refusals, which come before any route of ours. */
const fastifyCodes: Readonly<Record<string, { code: FailureCode; detail: string }>> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'body-malformed', detail: 'The body is empty: send a JSON object.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'body-malformed',
    detail: 'The body is not as long as Content-Length says.',
  },
  FST_ERR_BAD_URL: { code: 'not-found', detail: 'The path cannot be decoded.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'not-found', detail: 'There is nothing at such a long path.' },
};

type Asked = { readonly bodyLimit?: number | undefined; readonly contentType?: string | undefined };

/** What an error is told as. */
export function problemOf(error: unknown, { bodyLimit = 0, contentType = '' }: Asked = {}): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (hasZodFastifySchemaValidationErrors(error))
    return requestInvalid(error.validation as readonly Issue[], error.validationContext);
  if (error instanceof FingerprintUnknown)
    return new HttpProblem(
      'fingerprint-unknown',
      'This process cannot compare the request with the one that began the operation of this key: a newer version began it, or a seal key is missing. Ask again with the same key.',
    );
  if (error instanceof LedgerFault && error.code === 'unavailable')
    return new HttpProblem('ledger-unavailable', 'The ledger cannot be reached: ask again with the same key.');
  const { code = '', statusCode = 500 } = error as { code?: string; statusCode?: number };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new HttpProblem('body-too-large', `The body is larger than this route takes: at most ${bodyLimit} bytes.`);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const actual = contentType.slice(0, 100);
    const detail = `The Content-Type is "${actual}", which is not a media type: name the type of the body.`;
    return new HttpProblem('media-type-unsupported', detail, { header: 'Content-Type', actual });
  }
  const known = fastifyCodes[code];
  if (known !== undefined) return new HttpProblem(known.code, known.detail);
  if (statusCode === 400) return new HttpProblem('body-malformed', 'The request cannot be read.');
  return new HttpProblem(
    'internal',
    'Something went wrong on our side. Ask again with the same key: nothing is done twice.',
  );
}
