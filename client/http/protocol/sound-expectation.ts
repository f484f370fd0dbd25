import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { HttpProblem } from '../problems/http-problem.ts';

/** The one expectation that HTTP knows (RFC 9110, 10.1.1). */
const known = /^100-continue$/i;

/**
 * Any other expectation cannot be met, so nothing of the request is begun. Node answers such a request without a body
 * before any route sees it; here it is refused in the same form as every refusal.
 */
export function requireSoundExpectation(app: FastifyInstance): void {
  app.server.on('checkContinue', continueWhenRead);
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.addHook('onRequest', ({ headers: { expect } }, _reply, next) => {
    if (expect === undefined || known.test(expect)) return next();
    next(new HttpProblem('http-malformed', 'Expect may only be 100-continue: leave it out.', { header: 'Expect' }));
  });
}

/**
 * A caller that waits for `100 Continue` sends its body only once a route reads it, so a refusal that needs no body
 * saves the transfer. Node would send `100 Continue` before any route has looked.
 */
function continueWhenRead(this: FastifyInstance['server'], request: IncomingMessage, response: ServerResponse): void {
  const read = request._read.bind(request);
  request._read = function (size) {
    request._read = read;
    if (!response.headersSent) response.writeContinue();
    read(size);
  };
  this.emit('request', request, response);
}
