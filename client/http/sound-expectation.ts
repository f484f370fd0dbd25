import type { FastifyInstance } from 'fastify';
import { HttpProblem } from './http-problem.ts';

/** The one expectation that HTTP knows (RFC 9110, 10.1.1); Node keeps it by itself. */
const known = /^100-continue$/i;

/**
 * What else a request expects cannot be promised, so nothing of it is begun. Node answers such a request without a body
 * before any route sees it; here it is refused in the form of all refusals.
 */
export function requireSoundExpectation(app: FastifyInstance): void {
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.addHook('onRequest', async ({ headers }) => {
    if (headers.expect !== undefined && !known.test(headers.expect))
      throw new HttpProblem('http-malformed', 'Expect may only be 100-continue: leave it out.', {
        header: 'Expect',
      });
  });
}
