import type { FastifyInstance, FastifyRequest } from 'fastify';
import { mayActAs, type Role } from '../../../workflows/operation/role.ts';
import { HttpProblem } from '../problems/http-problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The least role that may use the route. A route that names none is closed to viewers. */
    role?: Role;
  }
}

const unlessNamed: Role = 'caller';

/** Documents each route's role: in OpenAPI 3.1 a security requirement may list the roles it needs. */
export function documentRoles(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    route.schema = { ...route.schema, security: [{ token: [route.config?.role ?? unlessNamed] }] };
  });
}

/**
 * Checks the role before the key, the body and the operation are read.
 * @throws HttpProblem forbidden
 */
export function requireRole({ caller, routeOptions }: FastifyRequest): void {
  const least = routeOptions.config.role ?? unlessNamed;
  if (!mayActAs(caller.role, least))
    throw new HttpProblem(
      'forbidden',
      `This token has the role ${caller.role}; the request needs the role ${least}. Nothing was done.`,
      { role: caller.role, needs: least },
    );
}
