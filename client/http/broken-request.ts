import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { type FailureCode, failure } from '../../workflows/operation/failures.ts';
import { problemAnswer } from '../../workflows/operation/outcome.ts';

/** What Node's HTTP parser refuses never reaches a route; it is answered in the same form, and the line is closed. */
export function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const code: FailureCode = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers-too-large' : 'body-malformed';
  const detail =
    code === 'headers-too-large'
      ? 'The headers take more than 16 KiB: send smaller ones.'
      : 'The request is not valid HTTP: nothing was done.';
  const { status, headers, body } = problemAnswer({ code, detail }, { requestId: `req_${randomUUID()}` });
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(
    `HTTP/1.1 ${status} ${failure(code).title}\r\n${lines.join('')}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
