import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';

const overridable: ReadonlySet<string> = new Set(['PATCH', 'DELETE', 'HEAD']);

/**
 * "The Server MUST interpret X-HTTP-Method-Override as the request's method" (tus 1.0, core protocol): some networks pass
 * GET and POST only. It holds below one path, since elsewhere nobody expects it.
 */
export function overrideMethod(app: FastifyInstance, path: string): void {
  app.server.prependListener('request', (request: IncomingMessage) => {
    const method = request.headers['x-http-method-override'];
    if (request.method !== 'POST' || typeof method !== 'string' || !request.url?.startsWith(path)) return;
    if (overridable.has(method.toUpperCase())) request.method = method.toUpperCase();
  });
}
