import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { HttpProblem } from '../problems/http-problem.ts';
import { isHost } from './sound-host.ts';

const absolute = /^(https?):\/\/([^/?#]*)(.*)$/i;

/** The schemes of requests whose target named one; undefined when the target is not valid. */
const schemes = new WeakMap<IncomingMessage, string | undefined>();

/**
 * Treats `GET http://host/path` as `GET /path` (RFC 9112, 3.2.2: "a server MUST accept the absolute-form in requests").
 * The authority replaces Host, which "an origin server MUST ignore" then. Routes are looked up before any hook runs, so
 * an invalid target is only remembered here, and `requireSoundTarget` refuses it.
 * @returns the path and query, as they were sent
 */
export function originForm(request: IncomingMessage): string {
  const { url = '/', headers, method } = request;
  if (url.startsWith('/') || (url === '*' && method === 'OPTIONS')) return url;
  const [, scheme, authority, path] = absolute.exec(url) ?? [];
  if (scheme === undefined || authority === undefined || path === undefined || !isHost(authority)) {
    schemes.set(request, undefined);
    return '/';
  }
  headers.host = authority;
  schemes.set(request, scheme.toLowerCase());
  return path.startsWith('/') ? path : `/${path}`;
}

/** @throws HttpProblem http-malformed where the target is neither a path nor a URL of ours, nor the `*` of OPTIONS */
export function requireSoundTarget(request: IncomingMessage): void {
  if (!schemes.has(request) || schemes.get(request) !== undefined) return;
  throw new HttpProblem(
    'http-malformed',
    'The target of the request is neither a path nor an http or https URL with a host: ask for a path, such as /v1/operations.',
  );
}

/** The scheme and host that a request was sent to, with which our own URLs begin. */
export function originOf(request: FastifyRequest): string {
  return `${schemes.get(request.raw) ?? request.protocol}://${request.host}`;
}
