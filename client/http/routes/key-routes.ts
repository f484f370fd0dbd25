import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { issueKey } from '../../../activities/stores/postgres/ledger/issue-key.ts';
import { admitted } from '../operations/ask-operation.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { answer } from '../documented/answer.ts';
import { requestHeaders } from '../documented/answer-headers.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';

/** For callers that cannot make a key themselves: they get one first, keep it, and then begin. A key alone does nothing. */
export function keyRoutes(app: FastifyInstance, database: Database): void {
  const issued = z.object({ key: z.string() });
  app.post(
    '/v1/keys',
    {
      schema: {
        summary: 'Get a key to begin an operation with',
        tags: ['keys'],
        response: {
          201: answer('A key that no other caller has. No operation has begun.', issued, requestHeaders),
          ...problems(...routeCodes.takesBody),
        },
      },
    },
    async (request, reply) => {
      if (!(await admitted(app, request)))
        throw new HttpProblem('too-many-requests', 'Too many new keys and operations: wait, then ask again.');
      const key = `key_${randomUUID()}`;
      await issueKey(database, { key, ...request.caller });
      return reply.code(201).send({ key });
    },
  );
}
