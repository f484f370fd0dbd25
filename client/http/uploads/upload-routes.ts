import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
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
import { contentDigestOf, mismatchingDigest, reprDigestOf } from '../protocol/digest-fields.ts';
import type { SentDigest } from '../../uploads/measured-body.ts';
import { uploadOf } from './upload-of.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { renewingFlows } from '../operations/renewing-flows.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { operationId } from '../documented/schemas.ts';

const params = z.object({ id: operationId });
const answered = z.object({
  id: z.string(),
  state: z.enum(operationStates),
  size: z.int(),
  sha256: z.string().nullable(),
  result: uploadFlow.result.optional().describe('Present once the upload has succeeded.'),
});
const tags = ['uploads'];
const { takesBody, looksUp } = routeCodes;
const takesBytes = [
  'bytes-missing',
  'bytes-unexpected',
  'bytes-refused',
  'digest-unusable',
  'chunk-digest-mismatch',
  'cancelled',
  'expired',
  'storage-unavailable',
] as const;
const response = {
  200: documented(
    'The bytes are stored and recorded in the ledger, by this request or by an earlier one.',
    answered,
    placeHeaders,
  ),
  ...problems(...takesBody, ...looksUp, ...takesBytes),
};
/** OpenAPI's notation for raw bytes. Validation reads none of them, so a stream passes. */
const bytes = z.unknown().meta({ type: 'string', format: 'binary', description: 'The bytes that were announced' });

/** CRC64NVME as S3 writes it. */
export const crc64nvme = z
  .string()
  .regex(/^[A-Za-z0-9+/]{10}[AEIMQUYcgkosw048]=$/, 'give the CRC64NVME, 8 bytes, in base64');

/**
 * The routes that take the bytes of an upload and complete it. Both are repeatable: the bytes that came first count,
 * and a repeated request gets the same answer.
 */
export function uploadRoutes(instance: FastifyInstance, gateway: Gateway, uploads: Uploads): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  app.removeAllContentTypeParsers();
  // The body is streamed, and is never held in memory.
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
          'For a transfer plan that names this API: the answered PUT ends the transfer. Repeatable, needs no key. ' +
          'Bytes whose length or SHA-256 is not the announced one are refused, and the upload goes on waiting for the ' +
          'right ones.',
        params,
        consumes: ['application/octet-stream', '*/*'],
        body: bytes,
        response,
      },
    },
    async (request, reply) => {
      const record = await uploadOf(gateway, request);
      const { 'content-length': length, 'content-type': type } = request.headers;
      const coded = codedBody(request.headers);
      const received: Received =
        coded === undefined
          ? await uploads.receiveBytes(record, {
              stream: request.raw,
              contentLength: length === undefined ? undefined : Number(length),
              contentType: type,
              digests: sentDigests(request.headers),
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
          'For a transfer plan that names the object store: this API does not see that PUT, so this request ends the transfer.',
        tags,
        params,
        headers: z.object({
          'x-amz-checksum-crc64nvme': crc64nvme
            .optional()
            .describe('Of the whole file, for parts that have come without checksums of their own'),
        }),
        response: { ...response, ...problems(...takesBody, ...looksUp, ...takesBytes, 'proof-missing') },
      },
    },
    async (request, reply) => {
      const record = await uploadOf(gateway, request);
      const whole = request.headers['x-amz-checksum-crc64nvme'];
      return await answer(gateway, record, await uploads.complete(record, whole), reply);
    },
  );
}

/** One body is the whole file, so that both fields say the same of it. */
function sentDigests(headers: IncomingHttpHeaders): readonly SentDigest[] {
  const whole = reprDigestOf(headers);
  const content = contentDigestOf(headers);
  return [
    ...(whole === undefined ? [] : [{ algorithm: 'sha256' as const, value: Buffer.from(whole, 'hex') }]),
    ...(content === undefined ? [] : [content]),
  ];
}

/**
 * A body that holds only a part of the bytes, or another form of them, must not be stored as the whole.
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
    detail: `Content-Encoding ${encoding.slice(0, 100)} is not accepted: send the announced bytes themselves, without the header.`,
    more: { header: 'Content-Encoding', expected: 'identity', actual: encoding.slice(0, 100) },
  };
}

export function refusedUpload({ code, detail, more }: Refusal, operation: string): HttpProblem {
  const renewable = renewingFlows([uploadFlow], code).length > 0 && 'by-another-request';
  const type = code === 'chunk-digest-mismatch' ? mismatchingDigest : undefined;
  return new HttpProblem(code, detail, more, { operation, renewable, type });
}

export async function answer(gateway: Gateway, record: OperationRecord, received: Answered, reply: FastifyReply) {
  const { id, tenant } = record;
  if (received.kind === 'refused') throw refusedUpload(received.refusal, id);
  const { size, sha256 } = received;
  // Read after the commit, as the next GET reads it, so that the answer is never ahead of the row.
  const now = (await gateway.status(tenant, id)) ?? record;
  const result = now.state === 'succeeded' && now.result !== null ? { result: now.result } : {};
  return reply.header('location', operationUrl(id)).send({ id, state: now.state, size, sha256, ...result });
}
