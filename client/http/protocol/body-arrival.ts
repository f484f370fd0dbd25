import type { FastifyInstance } from 'fastify';
import { seconds } from '../../../workflows/operation/duration.ts';
import { transferTime } from '../../../workflows/operation/transfer-time.ts';
import { HttpProblem } from '../problems/http-problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Gives the body up. */
    late: NodeJS.Timeout | undefined;
  }
}

/** What a body may take on top of what its bytes take at the slowest rate: half of one is answered within ten seconds. */
const grace = seconds(8);

/**
 * Bounds the time that a body may take, of routes that read it: a caller that sends half of one is answered. A route that
 * streams has its body at once, and looks after it itself.
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
