import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { type FailureCode, failure } from '../../workflows/operation/failures.ts';
import { problemAnswer } from '../../workflows/operation/outcome.ts';

type Fault = { readonly code: FailureCode; readonly detail: string };

const malformed: Fault = { code: 'http-malformed', detail: 'The request is not valid HTTP: nothing was done.' };
const faults: Readonly<Record<string, Fault>> = {
  HPE_HEADER_OVERFLOW: { code: 'headers-too-large', detail: 'The headers take more than 16 KiB: send smaller ones.' },
  ERR_HTTP_REQUEST_TIMEOUT: {
    code: 'request-timeout',
    detail: 'The headers did not arrive in time: nothing was done.',
  },
};

/** What Node's HTTP parser refuses never reaches a route; it is answered in the same form, and the line is closed. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const { code, detail } = faults[error.code ?? ''] ?? malformed;
  const { status, headers, body } = problemAnswer({ code, detail }, { requestId: `req_${randomUUID()}` });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${status} ${failure(code).title}\r\n${lines.join('')}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
