import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { uploadFlow } from '../../../../workflows/upload.flow.ts';
import type { Problem } from '../../../../workflows/operation/answer.ts';
import { operationId } from '../../documented/schemas.ts';
import { askOperation } from '../../operations/ask-operation.ts';
import { sendReply } from '../../operations/send-reply.ts';
import { HttpProblem } from '../../problems/http-problem.ts';
import { idempotencyKey } from '../../protocol/idempotency-key.ts';
import { originOf } from '../../protocol/sound-target.ts';
import { soundUpload } from '../announced-upload.ts';
import { cancelUpload } from '../cancel-upload.ts';
import { uploadOf } from '../upload-of.ts';
import type { ProtocolParts } from '../protocol-parts.ts';
import { refusedUpload } from '../upload-routes.ts';
import { completedParts, xml, xmlType } from './s3-xml.ts';

const s3Path = '/v1/s3';

/** S3 takes 1 MB for the list of 10,000 parts ("CompleteMultipartUpload"). Bytes. */
const longestList = 1024 ** 2;

const { name, type, destination, sha256, dedup, whenSame, size } = uploadFlow.request.shape;
const querystring = z.looseObject({
  uploads: z.string().optional(),
  uploadId: operationId.optional(),
  size: z.coerce.number().pipe(size.unwrap()).optional(),
  ...{ name: name.optional(), type: type.optional(), destination: destination.optional(), sha256, dedup, whenSame },
});
type Query = z.output<typeof querystring>;

/**
 * The calls of S3 around a multipart upload, for clients that know them, such as Uppy's: create, list, complete, abort. The
 * parts themselves go to the object store (`/v1/uploads/{id}/parts` signs them). The object's key is the idempotency key.
 */
export function s3Routes(parts: ProtocolParts): void {
  const { app, gateway, uploads } = parts;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: longestList }, (_request, body, done) =>
    done(null, body),
  );
  app.addHook('onSend', (request, reply, payload, next) => {
    const isProblem = String(reply.getHeader('content-type')).startsWith('application/problem+json');
    if (!isProblem || typeof payload !== 'string') return next(null, payload);
    const { code, detail, requestId } = JSON.parse(payload) as Problem;
    reply.header('content-type', xmlType).removeHeader('content-length');
    next(
      null,
      xml('Error', { Code: code, Message: detail, Resource: request.url.split('?')[0] ?? '', RequestId: requestId }),
    );
  });
  const schema = { hide: true, querystring };

  app.post(`${s3Path}/*`, { schema, bodyLimit: longestList, config: { takesKey: true } }, async (request, reply) => {
    const { uploads: creates, uploadId } = request.query as Query;
    if (uploadId !== undefined) return await complete(parts, request, reply, uploadId);
    if (creates === undefined) throw asked('POST takes ?uploads, which creates, or ?uploadId, which completes');
    return await create(parts, request, reply);
  });

  app.get(`${s3Path}/*`, { schema }, async (request, reply) => {
    const { uploadId } = request.query as Query;
    if (uploadId === undefined) throw asked('GET takes ?uploadId, which lists its parts');
    const record = await uploadOf(gateway, request, uploadId);
    const arrived = await uploads.multipart.arrived(record);
    const Part = arrived.map(({ number, size: bytes, etag }) => ({ PartNumber: number, ETag: etag, Size: bytes }));
    const list = { Bucket: 'uploads', Key: record.key, UploadId: uploadId, IsTruncated: 'false', Part };
    return reply.type(xmlType).send(xml('ListPartsResult', list));
  });

  app.delete(`${s3Path}/*`, { schema }, async (request, reply) => {
    const { uploadId } = request.query as Query;
    if (uploadId === undefined) throw asked('DELETE takes ?uploadId, which aborts it');
    await cancelUpload(gateway, await uploadOf(gateway, request, uploadId));
    return reply.code(204).send();
  });
}

function asked(detail: string): HttpProblem {
  return new HttpProblem('request-invalid', `${detail}.`);
}

/** `Idempotency-Key` where it is sent, else the object's key. */
function keyOf(request: FastifyRequest): string {
  const key = idempotencyKey(request.raw) ?? (request.params as { '*': string })['*'];
  if (!/^[\x20-\x7e]{1,255}$/.test(key))
    throw new HttpProblem(
      'key-malformed',
      'The object key names the upload: give 1 to 255 printable ASCII characters.',
    );
  return key;
}

async function create(parts: ProtocolParts, request: FastifyRequest, reply: FastifyReply) {
  const { uploads: _uploads, uploadId: _uploadId, ...query } = request.query as Query;
  const key = keyOf(request);
  const known = Object.fromEntries(
    Object.entries({ ...metadata(request), ...query }).filter(([field]) => field in uploadFlow.request.shape),
  );
  const announced = soundUpload({
    name: key.split('/').at(-1) ?? key,
    type: request.headers['content-type'] ?? 'application/octet-stream',
    destination: 'uploads',
    ...known,
    transfer: 's3',
  });
  const taken = await askOperation(parts, request, { flow: uploadFlow, key, body: announced, wait: 0 });
  if (taken.kind === 'settled' && taken.state !== 'succeeded') return sendReply(request, reply, taken);
  reply.headers({ 'idempotency-status': taken.how, 'hapax-workflow-id': taken.workflowId });
  return reply
    .type(xmlType)
    .send(xml('InitiateMultipartUploadResult', { Bucket: 'uploads', Key: key, UploadId: taken.id }));
}

/** `x-amz-meta-size: 12`, as clients of S3 send what they know of an object. */
function metadata({ headers }: FastifyRequest): Record<string, string | number> {
  const told = Object.entries(headers).flatMap(([header, value]) => {
    const field = /^x-amz-meta-(.+)$/.exec(header)?.[1];
    if (field === undefined || typeof value !== 'string') return [];
    return [[field, field === 'size' ? Number(value) : value] as const];
  });
  return Object.fromEntries(told);
}

async function complete(parts: ProtocolParts, request: FastifyRequest, reply: FastifyReply, id: string) {
  const { gateway, uploads, publicUrl } = parts;
  const told = completedParts(typeof request.body === 'string' ? request.body : '');
  if (told === undefined)
    throw new HttpProblem(
      'request-invalid',
      'The body lists no parts: send a CompleteMultipartUpload, as S3 takes it.',
    );
  const record = await uploadOf(gateway, request, id);
  const completed = await uploads.multipart.complete(record, 's3', { parts: told });
  if (completed.kind === 'refused') throw refusedUpload(completed.refusal, id);
  const location = new URL(`/v1/uploads/${id}`, publicUrl ?? originOf(request)).href;
  const result = { Location: location, Bucket: 'uploads', Key: record.key, ETag: `"${id}"` };
  return reply.type(xmlType).send(xml('CompleteMultipartUploadResult', result));
}
