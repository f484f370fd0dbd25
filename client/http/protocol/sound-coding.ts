import type { IncomingMessage } from 'node:http';
import type { FastifyReply } from 'fastify';
import { HttpProblem } from '../problems/http-problem.ts';

/**
 * We cannot read a body with a transfer coding other than chunked: "A server that receives a request message with a
 * transfer coding it does not understand SHOULD respond with 501" (RFC 9112, 6.1). Node checks the last coding only.
 * The connection is closed, because a proxy in front of us may have seen a different end of the body.
 * @throws HttpProblem
 */
export function requireSoundCoding({ headers, httpVersion }: IncomingMessage, reply: FastifyReply): void {
  const sent = headers['transfer-encoding'];
  if (sent === undefined) return;
  const more = { header: 'Transfer-Encoding' };
  const codings = sent.split(',').map((coding) => coding.trim().toLowerCase());
  const other = codings.find((coding) => coding !== 'chunked' && coding !== '');
  const chunkedOnce = codings.filter((coding) => coding === 'chunked').length === 1;
  if (httpVersion !== '1.0' && other === undefined && chunkedOnce) return;
  reply.header('connection', 'close');
  if (httpVersion === '1.0')
    throw new HttpProblem('http-malformed', 'HTTP/1.0 has no Transfer-Encoding: send a Content-Length.', more);
  if (other === undefined)
    throw new HttpProblem('http-malformed', 'Transfer-Encoding may name chunked only once: send it once.', more);
  throw new HttpProblem(
    'transfer-coding-unsupported',
    `Transfer-Encoding ${other.slice(0, 100)} is not supported: send the body plain, with a Content-Length or chunked.`,
    { ...more, expected: 'chunked', actual: sent.slice(0, 100) },
  );
}
