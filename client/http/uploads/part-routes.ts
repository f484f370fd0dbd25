import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { partId } from '../../../workflows/operation/key.ts';
import { partLimits } from '../../../workflows/operation/part-limits.ts';
import { uploadFlow } from '../../../workflows/upload.flow.ts';
import type { Gateway } from '../../gateway.ts';
import type { SignedPart } from '../../uploads/multipart-way.ts';
import type { Uploads } from '../../uploads/uploads.ts';
import { answer } from '../documented/answer.ts';
import { requestHeaders } from '../documented/answer-headers.ts';
import { operationId } from '../documented/schemas.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { acceptJson } from '../protocol/json-body.ts';
import { uploadOf } from './upload-of.ts';
import { crc64nvme, refusedUpload } from './upload-routes.ts';

/** As many as fit a body of 64 KiB. */
const mostAtOnce = 500;

export const signedPartSchema = z.object({
  id: z.string().describe('What logs and rows call it'),
  number: z.int(),
  offset: z.int().optional().describe('Of its first byte in the file'),
  size: z.int().optional(),
  method: z.literal('PUT'),
  url: z.string(),
  headers: z.record(z.string(), z.string()).describe('Send them unchanged'),
});

export function shownPart(
  upload: string,
  { offset, size, headers, ...part }: SignedPart,
): z.output<typeof signedPartSchema> {
  return {
    id: partId(upload, part.number),
    ...part,
    headers: { ...headers },
    ...(offset === undefined ? {} : { offset }),
    ...(size === undefined ? {} : { size }),
  };
}

const wantedPart = z.strictObject({
  number: z.int().min(1).max(partLimits.most),
  sha256: uploadFlow.request.shape.sha256.describe('Of the bytes of this part'),
  crc64nvme: crc64nvme.optional().describe('Of the bytes of this part, instead of `sha256`'),
});

const wanted = z.strictObject({
  parts: z
    .array(wantedPart)
    .min(1)
    .max(mostAtOnce)
    .refine((parts) => new Set(parts.map((part) => part.number)).size === parts.length, 'names a part twice')
    .refine(
      (parts) =>
        parts.every((part) => part.sha256 !== undefined && part.crc64nvme === undefined) ||
        parts.every((part) => part.crc64nvme !== undefined && part.sha256 === undefined),
      'give each part its `sha256`, or each its `crc64nvme`',
    ),
});

/** The route that signs the parts of an upload that goes straight to the object store. */
export function partRoutes(instance: FastifyInstance, gateway: Gateway, uploads: Uploads): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  acceptJson(app);
  app.post(
    '/v1/uploads/:id/parts',
    {
      schema: {
        summary: 'Sign parts of an upload; repeatable, needs no key',
        description:
          'For a multipart transfer. Each part is signed for the bytes with this checksum, SHA-256 or CRC64NVME, the ' +
          'same for all parts: the object store refuses others, and bytes that were cut. A part may be signed again, with the same checksum or another one.',
        tags: ['uploads'],
        params: z.object({ id: operationId }),
        body: wanted,
        response: {
          200: answer('The signed requests.', z.object({ parts: z.array(signedPartSchema) }), requestHeaders),
          ...problems(
            ...[...routeCodes.takesBody, ...routeCodes.looksUp],
            ...(['bytes-unexpected', 'cancelled', 'expired', 'storage-unavailable'] as const),
          ),
        },
      },
    },
    async (request) => {
      const record = await uploadOf(gateway, request);
      const parts = request.body.parts.map(({ number, sha256, crc64nvme: crc = '' }) => ({
        number,
        checksum: sha256 === undefined ? crc : Buffer.from(sha256, 'hex').toString('base64'),
      }));
      const algorithm = request.body.parts.some(({ sha256 }) => sha256 !== undefined) ? 'SHA256' : 'CRC64NVME';
      const signed = await uploads.multipart.sign(record, algorithm, parts);
      if ('refusal' in signed) throw refusedUpload(signed.refusal, record.id);
      return { parts: signed.map((part) => shownPart(record.id, part)) };
    },
  );
}
