import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { failure } from '../../../workflows/operation/failures.ts';
import { problemAnswer } from '../../../workflows/operation/answer.ts';
import type { Refusal } from '../../../workflows/operation/outcome.ts';
import { closeLingering } from './lingering-close.ts';

const malformed: Refusal = { code: 'http-malformed', detail: 'The request is not valid HTTP: nothing was done.' };
const faults: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: { code: 'headers-too-large', detail: 'The headers take more than 16 KiB: send smaller ones.' },
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: 'request-timeout',
    detail: 'The request did not arrive in time: nothing was done.',
  },
};

/**
 * Answers what Node's HTTP parser refuses, which never reaches a route, in the same form as every refusal. Then it
 * closes the connection.
 */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  refuseConnection(socket, faults[error.code ?? ''] ?? malformed);
}

/** Answers on a connection for which Node has made no request, and closes it. */
export function refuseConnection(
  socket: Socket,
  refusal: Refusal,
  headers: Readonly<Record<string, string>> = {},
): void {
  const answer = problemAnswer(refusal, { requestId: `req_${randomUUID()}` });
  const all = {
    ...answer.headers,
    ...headers,
    'content-length': String(Buffer.byteLength(answer.body)),
    connection: 'close',
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  const { title } = failure(refusal.code);
  closeLingering(socket, `HTTP/1.1 ${answer.status} ${title}\r\n${lines.join('')}\r\n${answer.body}`);
}
