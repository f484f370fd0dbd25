import type { FastifyInstance } from 'fastify';

/**
 * For routes that need no body: what comes is read, within Fastify's limit of 1 MiB, and not judged. A cancel that is
 * refused because of a body that nobody needs would help no one. Routes that read bodies say so themselves.
 */
export function ignoreBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null));
}
