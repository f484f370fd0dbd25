import type { FastifyRequest } from 'fastify';
import type { Caller } from './caller.ts';
import { bringsEventsToken, eventsTokenCaller, type EventsTokenIssuer } from './events-token.ts';
import { HttpProblem } from '../problems/http-problem.ts';

/**
 * Finds the caller of a bearer token; undefined when the token is not valid, whatever the reason. Returns no promise
 * where it can: a promise costs each request a turn of the event loop.
 * @throws HttpProblem or LedgerFault when the token cannot be checked now
 */
export type Authenticate = (bearer: string) => Caller | undefined | Promise<Caller | undefined>;

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
  }
}

/** RFC 6750, 2.1: `credentials = "Bearer" 1*SP b64token`; RFC 9110, 11.1: the scheme is case-insensitive. */
const credentials = /^bearer +([^ ]+)$/i;

/** JWTs that list a person's groups reach several kilobytes; Node takes at most 16 KiB of headers. Characters. */
const longestToken = 8_192;

type Ways = {
  readonly authenticate: Authenticate;
  /** Reads the tokens of event streams; without it there are none. */
  readonly eventsTokens?: Pick<EventsTokenIssuer, 'read'>;
};

/**
 * Gives the same answer for every fault of a token, so that guessing reveals nothing.
 * @returns undefined when the caller is known at once
 */
export function authenticateRequest(
  request: FastifyRequest,
  { authenticate, eventsTokens }: Ways,
): Promise<void> | undefined {
  if (bringsEventsToken(request)) {
    const caller = eventsTokenCaller(request, eventsTokens);
    if (caller === undefined)
      throw new HttpProblem(
        'unauthenticated',
        'This token does not open this stream, or has expired: get a new one from GET /v1/operations/{id}/events-token.',
        { parameter: 'token' },
      );
    request.caller = caller;
    return undefined;
  }
  const bearer = credentials.exec(request.headers.authorization ?? '')?.[1];
  const found = bearer === undefined || bearer.length > longestToken ? undefined : authenticate(bearer);
  if (found instanceof Promise) return found.then((caller) => letIn(request, caller));
  letIn(request, found);
  return undefined;
}

function letIn(request: FastifyRequest, caller: Caller | undefined): void {
  if (caller === undefined)
    throw new HttpProblem('unauthenticated', 'Send a valid token as "Authorization: Bearer …".', {
      header: 'Authorization',
    });
  request.caller = caller;
}
