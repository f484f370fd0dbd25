import type { FastifyInstance } from 'fastify';
import { seconds } from '../../workflows/operation/duration.ts';
import { HttpProblem } from './http-problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Gives the body up. */
    late: NodeJS.Timeout | undefined;
  }
}

/** 64 KiB take a second on the slowest line that people bear. */
const arrival = seconds(8);

/**
 * Bounds the time that a body may take, of routes that read it and of those that there are not: whoever sends half of one
 * is answered. A route that streams has its body at once, and looks after it itself.
 */
export function limitBodies(app: FastifyInstance): void {
  app.decorateRequest('late', undefined);
  app.addHook('preParsing', (request, reply, payload, next) => {
    request.late = setTimeout(() => {
      // What still comes is not read.
      reply.header('connection', 'close');
      payload.emit('error', new HttpProblem('request-timeout', 'The body did not arrive in time: nothing was done.'));
    }, arrival);
    reply.raw.once('close', () => clearTimeout(request.late));
    next();
  });
  app.addHook('preValidation', (request, _reply, next) => {
    clearTimeout(request.late);
    next();
  });
}
