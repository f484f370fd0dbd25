import fastify from 'fastify';
import { expect, it } from 'vitest';
import { documentRoles, requireRole } from '../../client/http/callers/require-role.ts';
import { type Role, roles } from '../../workflows/operation/role.ts';

/** Routes as the HTTP API has them, asked by a caller of one role. */
async function asked(role: Role, path: string, method: 'GET' | 'HEAD' | 'POST' = 'GET') {
  const app = fastify();
  documentRoles(app);
  app.addHook('onRequest', async (request) => {
    request.caller = { tenant: 'alpha', environment: 'test', subject: 'ann', role };
    requireRole(request);
  });
  app.setErrorHandler((error, _, reply) => reply.code(403).send(error));
  app.get('/unnamed', () => 'done');
  for (const least of roles) app.get(`/${least}`, { config: { role: least } }, () => 'done');
  app.post('/viewer', () => 'done');
  app.get('/people', { config: { role: 'people' } }, () => 'done');
  const answer = await app.inject({ method, url: path });
  await app.close();
  return answer.statusCode;
}

it.each<[Role, number[]]>([
  ['viewer', [200, 403, 403]],
  ['caller', [200, 200, 403]],
  ['operator', [200, 200, 200]],
])('a %s may use what asks for its role or less', async (role, statuses) => {
  for (const [n, least] of roles.entries()) {
    expect([least, await asked(role, `/${least}`)]).toEqual([least, statuses[n]]);
    expect([least, await asked(role, `/${least}`, 'HEAD')]).toEqual([least, statuses[n]]);
  }
});

it('a route for people is closed to callers, who are programs of one subject', async () => {
  const statuses = await Promise.all(roles.map((role) => asked(role, '/people')));
  expect(statuses).toEqual([200, 403, 200]);
});

it('a route that names no role is closed to viewers', async () => {
  expect(await asked('viewer', '/unnamed')).toBe(403);
  expect(await asked('viewer', '/viewer', 'POST')).toBe(403);
  expect(await asked('caller', '/unnamed')).toBe(200);
});
