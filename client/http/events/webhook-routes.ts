import type { FastifyInstance, FastifyRequest } from 'fastify';
import { EventFault } from '../../events/event-fault.ts';
import type { Inbox } from '../../events/inbox.ts';
import { problemOf } from '../problems/answer-problems.ts';
import { HttpProblem } from '../problems/http-problem.ts';

/** Several times the largest event that Stripe sends. Bytes. */
const longestEvent = 256 * 1024;

/** Called with what became of each delivery: `recorded`, `repeated`, or the code by which it was refused. */
export type CountDelivery = (source: string, became: string) => void;

/**
 * What other systems tell us. Their signature is their token. The answer says that the event is durable, and a repetition
 * gets the same one.
 */
export function webhookRoutes(app: FastifyInstance, inbox: Inbox, count: CountDelivery): void {
  app.removeAllContentTypeParsers();
  // The signature is over the bytes: whatever the sender calls them, they are read as they are.
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: longestEvent }, (_request, body, done) =>
    done(null, body),
  );
  app.post<{ Params: { source: string } }>(
    '/v1/webhooks/:source',
    { schema: { hide: true }, bodyLimit: longestEvent },
    async (request, reply) => {
      const { source } = request.params;
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      expectPlain(request);
      try {
        const { id, fresh } = await inbox.take(source, { headers: request.raw.headersDistinct, body }, request.id);
        count(source, fresh ? 'recorded' : 'repeated');
        request.log.debug({ source, event: id, fresh }, 'an event was delivered');
        return await reply.header('idempotency-status', fresh ? 'created' : 'replayed').send({ id, received: true });
      } catch (error) {
        throw error instanceof EventFault ? new HttpProblem(error.code, error.message) : error;
      }
    },
  );
  app.addHook('onError', async (request, _reply, error) => {
    const { source = '' } = request.params as { source?: string };
    const code = problemOf(error).refusal.code;
    // An unknown name may be anything, and would be a metric of its own.
    count(inbox.knows(source) ? source : 'unknown', code);
    request.log.warn({ source, code }, `a delivery was refused: ${error.message}`);
  });
}

/** The signature is over the bytes that were sent: they are not unpacked. */
function expectPlain({ headers }: FastifyRequest): void {
  const coding = headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity')
    throw new HttpProblem('media-type-unsupported', 'Events are taken as they were signed: send no Content-Encoding.');
}
