import type { FastifyInstance } from 'fastify';

/**
 * For routes that need no body. A body is read, up to Fastify's limit of 1 MiB, and ignored: refusing a cancel because
 * of a body that it does not need would help nobody. Routes that read bodies add parsers of their own.
 */
export function ignoreBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, done) => done(null));
}
