import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import { operationUrl } from '../../../workflows/operation/answer.ts';
import type { Refusal } from '../../../workflows/operation/outcome.ts';
import { operationStates } from '../../../workflows/operation/state.ts';
import { largestPut, uploadFlow } from '../../../workflows/upload.flow.ts';
import type { Gateway } from '../../gateway.ts';
import type { Answered, Received } from '../../uploads/received.ts';
import type { Uploads } from '../../uploads/uploads.ts';
import { answer as documented } from '../documented/answer.ts';
import { placeHeaders } from '../documented/answer-headers.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { renewingFlows } from '../operations/renewing-flows.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { operationId } from '../documented/schemas.ts';
import { isOwn, shownOperation } from '../operations/shown-operations.ts';

const params = z.object({ id: operationId });
const answered = z.object({
  id: z.string(),
  state: z.enum(operationStates),
  size: z.int(),
  sha256: z.string().nullable(),
  result: uploadFlow.result.optional().describe('There once the upload has succeeded.'),
});
const tags = ['uploads'];
const { takesBody, looksUp } = routeCodes;
const takesBytes = [
  'bytes-missing',
  'bytes-unexpected',
  'bytes-refused',
  'cancelled',
  'expired',
  'storage-unavailable',
] as const;
const response = {
  200: documented(
    'The bytes are there and in the ledger, by this request or by one before it.',
    answered,
    placeHeaders,
  ),
  ...problems(...takesBody, ...looksUp, ...takesBytes),
};
/** OpenAPI's word for bytes as they are. Nothing is read of them to validate: a stream passes. */
const bytes = z.unknown().meta({ type: 'string', format: 'binary', description: 'The bytes that were announced' });

/** Bytes and their arrival. Both may be repeated: the bytes that came first count, and asking twice is answered twice. */
export function uploadRoutes(instance: FastifyInstance, gateway: Gateway, uploads: Uploads): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  app.removeAllContentTypeParsers();
  // The body flows through: it is never held in memory.
  app.addContentTypeParser('*', (_request, body, done) => done(null, body));

  app.put(
    '/v1/uploads/:id/content',
    {
      // The declared size of each upload is checked as well.
      bodyLimit: largestPut,
      schema: {
        summary: 'Send the bytes of an upload',
        tags,
        description:
          'For a transfer plan that names the door: the answered PUT ends the transfer. Repeatable, needs no key. ' +
          'Bytes of another length, or of another SHA-256 than announced, are refused and the upload goes on waiting for the ' +
          'right ones.',
        params,
        consumes: ['application/octet-stream', '*/*'],
        body: bytes,
        response,
      },
    },
    async (request, reply) => {
      const record = await upload(gateway, request, request.params.id);
      const { 'content-length': length, 'content-type': type } = request.headers;
      const coded = codedBody(request.headers);
      const received: Received =
        coded === undefined
          ? await uploads.receiveBytes(record, {
              stream: request.raw,
              contentLength: length === undefined ? undefined : Number(length),
              contentType: type,
            })
          : { kind: 'refused', refusal: coded };
      if (received.kind === 'cut') return reply.hijack();
      return await answer(gateway, record, received, reply);
    },
  );

  app.post(
    '/v1/uploads/:id/complete',
    {
      schema: {
        summary: 'Say that the bytes have been sent; repeatable, needs no key',
        description:
          'For a transfer plan that names the object store: its PUT is not heard of here, and this ends the transfer.',
        tags,
        params,
        response,
      },
    },
    async (request, reply) => {
      const record = await upload(gateway, request, request.params.id);
      return await answer(gateway, record, await uploads.complete(record), reply);
    },
  );
}

/**
 * A body that is a part of the bytes, or another form of them, must not be kept as the whole.
 * @returns why it is refused, if it is (RFC 9110, 8.4 and 14.5)
 */
function codedBody(headers: IncomingHttpHeaders): Refusal | undefined {
  const encoding = headers['content-encoding'];
  if (headers['content-range'] !== undefined)
    return {
      code: 'request-invalid',
      detail: 'Content-Range: this transfer takes all bytes in one PUT; send them without the header.',
      more: { header: 'Content-Range' },
    };
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return undefined;
  return {
    code: 'media-type-unsupported',
    detail: `Content-Encoding ${encoding.slice(0, 100)} is not taken: send the announced bytes themselves, without the header.`,
    more: { header: 'Content-Encoding', expected: 'identity', actual: encoding.slice(0, 100) },
  };
}

async function upload(gateway: Gateway, request: FastifyRequest, id: string): Promise<OperationRecord> {
  const record = await shownOperation(gateway, request.caller, id);
  if (record.flow !== 'upload') throw new HttpProblem('not-found', 'There is no such upload.');
  // An operator sees it, and yet the bytes are for the subject that announced them to send.
  if (!isOwn(request.caller, record))
    throw new HttpProblem('forbidden', 'Only the subject that announced an upload may send its bytes or complete it.');
  return record;
}

function refusedUpload({ code, detail, more }: Refusal, operation: string): HttpProblem {
  const renewable = renewingFlows([uploadFlow], code).length > 0 && 'by-another-request';
  return new HttpProblem(code, detail, more, { operation, renewable });
}

async function answer(gateway: Gateway, record: OperationRecord, received: Answered, reply: FastifyReply) {
  const { id, tenant } = record;
  if (received.kind === 'refused') throw refusedUpload(received.refusal, id);
  const { size, sha256 } = received;
  // Read after the commit, as the next GET reads it: what is told here is never ahead of the row.
  const now = (await gateway.status(tenant, id)) ?? record;
  const result = now.state === 'succeeded' && now.result !== null ? { result: now.result } : {};
  return reply.header('location', operationUrl(id)).send({ id, state: now.state, size, sha256, ...result });
}
