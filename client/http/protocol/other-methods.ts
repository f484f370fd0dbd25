import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import Router from 'find-my-way';
import { refuseConnection } from './broken-request.ts';
import { HttpProblem } from '../problems/http-problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Headers of the answer to OPTIONS on the route's path: what the path offers. */
    toldByOptions?: Readonly<Record<string, string>>;
  }
}

type Path = { readonly methods: Set<string>; readonly told: Record<string, string> };

/** The limit of Fastify's router, so that both routers find the same paths. */
type Routes = { readonly maxParamLength: number };

/**
 * Answers requests that no route serves, before their body is read: an unknown path (404), a method that the path does
 * not have, whether Fastify knows the method or not (405 with Allow, RFC 9110, 15.5.6), and OPTIONS (9.3.7), which
 * works on every path and needs no token. Browsers' preflights are OPTIONS too, and are passed on.
 */
export function answerOtherMethods(app: FastifyInstance, { maxParamLength }: Routes): void {
  const paths = Router({ maxParamLength });
  const all = new Set<string>();
  app.addHook('onRoute', ({ url, method, config }) => {
    // The catch-all route for preflights is not a path of its own.
    if (url === '*') return;
    const known = paths.findRoute('GET', url)?.store as Path | undefined;
    const path = known ?? { methods: new Set(), told: {} };
    if (known === undefined) paths.on('GET', url, () => undefined, path);
    for (const one of [method].flat()) for (const set of [path.methods, all]) set.add(one);
    Object.assign(path.told, config?.toldByOptions);
  });
  const allowed = (methods: Set<string>): string => [...methods, 'OPTIONS'].join(', ');

  app.addHook('onRequest', (request, reply, next) => {
    const options = request.method === 'OPTIONS';
    if (!options && !request.is404) return next();
    // "OPTIONS *" asks about the server as a whole.
    const path: Path | undefined =
      request.url === '*' ? { methods: all, told: {} } : (paths.find('GET', request.url)?.store as Path | undefined);
    if (path === undefined) return next(new HttpProblem('not-found', 'There is nothing at this path.'));
    const { methods, told } = path;
    reply.header('allow', allowed(methods));
    if (!options)
      return next(
        new HttpProblem(
          'method-not-allowed',
          `${request.method} is not allowed here: use ${[...methods].join(' or ')}.`,
        ),
      );
    if (request.headers['access-control-request-method'] !== undefined) return next();
    void reply.code(204).headers(told).send();
  });

  // CONNECT has no path, and Node emits it as an event of its own.
  app.server.on('connect', (_request, socket) =>
    refuseConnection(
      socket as Socket,
      { code: 'method-not-allowed', detail: 'CONNECT is not allowed: this server opens no tunnels.' },
      { allow: allowed(all) },
    ),
  );
}
