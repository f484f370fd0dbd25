import type { FastifyRequest } from 'fastify';
import { type Role, roles } from '../../../workflows/operation/role.ts';
import { type Caller, isEnvironment } from './caller.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route takes an events token in its URL: browsers' EventSource sends no headers. */
    eventsToken?: boolean;
  }
}

/** What an events token says. */
type Said = {
  readonly tenant: string;
  readonly environment: string;
  readonly subject: string;
  readonly role: string;
  readonly operation: string;
};

export type EventsTokenIssuer = {
  /** @param until milliseconds since 1970 */
  issue(says: Said, until: number): string;
  /** @param now milliseconds since 1970 */
  read(token: string, now: number): Said | undefined;
};

/** Whether the request brings an events token to a route that takes one. A header counts first. */
export function bringsEventsToken({ headers, query, routeOptions }: FastifyRequest): boolean {
  if (headers.authorization !== undefined || routeOptions.config.eventsToken !== true) return false;
  return typeof (query as { readonly token?: unknown }).token === 'string';
}

/**
 * Who such a request is from: the one that the token was issued to, as long as it asks for the token's operation.
 * @returns undefined when the token is not valid here, whatever the reason
 */
export function eventsTokenCaller(
  { query, params }: FastifyRequest,
  tokens: Pick<EventsTokenIssuer, 'read'> | undefined,
): Caller | undefined {
  const { token } = query as { readonly token: string };
  const { id } = params as { readonly id?: string };
  const said = tokens?.read(token, Date.now());
  if (said === undefined || said.operation !== id || !isEnvironment(said.environment) || !isRole(said.role))
    return undefined;
  const { tenant, environment, subject, role } = said;
  return { tenant, environment, subject, role };
}

function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}
