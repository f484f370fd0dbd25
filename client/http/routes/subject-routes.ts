import { randomUUID } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { days } from '../../../workflows/operation/duration.ts';
import { answer } from '../documented/answer.ts';
import { requestHeaders } from '../documented/answer-headers.ts';
import type { Caller } from '../callers/caller.ts';
import { admitted } from '../operations/ask-operation.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';

/** Signs a token for a browser. */
export type IssueSubject = (who: Pick<Caller, 'tenant' | 'environment' | 'subject'>, until: number) => string;

/** As long as the answer of a sign-up is kept. Milliseconds. */
const lives = days(30);

/** For pages that people use before they have an account: each browser gets a subject of its own. A token alone does nothing. */
export function subjectRoutes(app: FastifyInstance, issue: IssueSubject): void {
  const issued = z.object({ subject: z.string(), token: z.string(), expiresAt: z.string() });
  app.post(
    '/v1/subjects',
    {
      schema: {
        summary: 'Get a token for a browser without a user',
        description:
          'The token speaks for a subject of its own, of the tenant and environment of the caller. It begins operations of flows that ' +
          'allow it (sign-ups), looks at them and cancels them, and nothing else. Keep it in the browser: whoever has it sees them.',
        tags: ['subjects'],
        response: {
          201: answer('A token that no other browser has.', issued, requestHeaders),
          ...problems(...routeCodes.takesBody),
        },
      },
    },
    async (request, reply) => {
      if (!(await admitted(app, request)))
        throw new HttpProblem('too-many-requests', 'Too many new tokens and operations: wait, then ask again.');
      const { tenant, environment } = request.caller;
      const subject = `anon-${randomUUID()}`;
      const until = Date.now() + lives;
      const token = issue({ tenant, environment, subject }, until);
      return reply.code(201).send({ subject, token, expiresAt: new Date(until).toISOString() });
    },
  );
}
