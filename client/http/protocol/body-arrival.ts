import type { FastifyInstance } from 'fastify';
import { seconds } from '../../../workflows/operation/duration.ts';
import { transferTime } from '../../../workflows/operation/transfer-time.ts';
import { HttpProblem } from '../problems/http-problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Stops waiting for the body. */
    late: NodeJS.Timeout | undefined;
  }
}

/**
 * What a body may take on top of the time its bytes need at the slowest rate: half a body is answered within ten
 * seconds.
 */
const grace = seconds(8);

/**
 * Limits the time that a body may take on routes that read it, so that a caller that sends half a body gets an answer.
 * A route that streams gets its body at once, and watches it itself.
 */
export function limitBodies(app: FastifyInstance): void {
  app.decorateRequest('late', undefined);
  app.addHook('preParsing', (request, reply, payload, next) => {
    const { socket } = request.raw;
    const before = socket.bytesRead;
    const begun = performance.now();
    const look = (): void => {
      const left = grace + transferTime(socket.bytesRead - before) - (performance.now() - begun);
      if (left > 0) request.late = setTimeout(look, left);
      else
        payload.emit('error', new HttpProblem('request-timeout', 'The body did not arrive in time: nothing was done.'));
    };
    request.late = setTimeout(look, grace);
    reply.raw.once('close', () => clearTimeout(request.late));
    next();
  });
  app.addHook('preValidation', (request, _reply, next) => {
    clearTimeout(request.late);
    next();
  });
}
