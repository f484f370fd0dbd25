import type { FastifyInstance, FastifyRequest } from 'fastify';
import { mayActAs, type Role, type RouteRole } from '../../../workflows/operation/role.ts';
import { HttpProblem } from '../problems/http-problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that may use the route. A route that names none is closed to viewers. */
    role?: RouteRole;
    /** Open to browsers without a user, for their own operations. */
    anonymous?: boolean;
  }
}

const unlessNamed: RouteRole = 'caller';

/**
 * Documents each route's role: in OpenAPI 3.1 a security requirement may list the roles it needs, and of two requirements
 * one is enough.
 */
export function documentRoles(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const security = enough(route.config?.role ?? unlessNamed).map((role) => ({ token: [role] }));
    const inUrl = route.config?.eventsToken === true ? [{ eventsToken: [] }] : [];
    route.schema = { ...route.schema, security: [...security, ...inUrl] };
  });
}

/**
 * Checks the role before the key, the body and the operation are read.
 * @throws HttpProblem forbidden
 */
export function requireRole({ caller, routeOptions }: FastifyRequest): void {
  const least = routeOptions.config.role ?? unlessNamed;
  if (caller.anonymous && routeOptions.config.anonymous !== true)
    throw new HttpProblem(
      'forbidden',
      'This token is of a browser without a user, which may only sign up, and look at its sign-ups. Nothing was done.',
    );
  if (mayActAs(caller.role, least)) return;
  const needs = enough(least).join(' or ');
  throw new HttpProblem(
    'forbidden',
    `This token has the role ${caller.role}; the request needs the role ${needs}. Nothing was done.`,
    { role: caller.role, needs },
  );
}

function enough(least: RouteRole): readonly Role[] {
  return least === 'people' ? ['viewer', 'operator'] : [least];
}
