import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyInstance {
    /** The methods of a path, for Allow; none where there is no such path. */
    methodsOf(path: string): readonly string[];
  }
}

/** Remembers which methods each path has, so that a wrong one gets 405 with Allow (RFC 9110, 15.5.6) and not 404. */
export function rememberMethods(app: FastifyInstance): void {
  const routes = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = routes.get(url) ?? new Set<string>();
    for (const one of [method].flat()) methods.add(one);
    routes.set(url, methods);
  });
  app.decorate('methodsOf', (path: string) => {
    for (const [url, methods] of routes) if (matches(url, path)) return [...methods];
    return [];
  });
}

function matches(pattern: string, path: string): boolean {
  const parts = path.split('/');
  const wanted = pattern.split('/');
  return parts.length === wanted.length && wanted.every((part, n) => part.startsWith(':') || part === parts[n]);
}
