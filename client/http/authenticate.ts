import type { FastifyRequest } from 'fastify';
import type { Environment } from '../../workflows/operation/key.ts';
import { HttpProblem } from './http-problem.ts';

/** Whom a token speaks for. */
export type Caller = { readonly tenant: string; readonly environment: Environment; readonly subject: string };

export type Authenticate = (bearer: string) => Caller | undefined;

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
  }
}

/** One answer for every fault of a token, so that guessing learns nothing. */
export function authenticateRequest(request: FastifyRequest, authenticate: Authenticate): void {
  const [scheme, bearer, ...rest] = (request.headers.authorization ?? '').split(' ');
  const caller =
    scheme?.toLowerCase() === 'bearer' && bearer !== undefined && bearer.length <= 4_096 && rest.length === 0
      ? authenticate(bearer)
      : undefined;
  if (caller === undefined)
    throw new HttpProblem('unauthenticated', 'Send a valid token as "Authorization: Bearer …".', {
      header: 'Authorization',
    });
  request.caller = caller;
}
