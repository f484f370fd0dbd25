import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { OperationRecord } from '../../../../activities/stores/postgres/ledger/read-operation.ts';
import { chunkId } from '../../../../workflows/operation/key.ts';
import { uploadFlow } from '../../../../workflows/upload.flow.ts';
import { askOperation } from '../../operations/ask-operation.ts';
import { sendReply } from '../../operations/send-reply.ts';
import { HttpProblem } from '../../problems/http-problem.ts';
import { contentLength } from '../../protocol/content-length.ts';
import { contentDigestOf, reprDigestOf } from '../../protocol/digest-fields.ts';
import { originOf } from '../../protocol/sound-target.ts';
import { requireKey } from '../../routes/flow-routes.ts';
import { soundUpload } from '../announced-upload.ts';
import { uploadOf } from '../upload-of.ts';
import type { ProtocolParts } from '../protocol-parts.ts';
import { answerAppended, tellStanding, tusProblem } from './tus-answers.ts';
import { announcedBy, checksumOf, concatOf, lengthOf, tusBody, tusUrl } from './tus-headers.ts';

/** Creates an upload, and takes the bytes that come with it: only the request that creates it may bring some. */
export async function tusCreate(parts: ProtocolParts, request: FastifyRequest, reply: FastifyReply) {
  const { gateway, uploads } = parts;
  const { headers } = request;
  const concat = concatOf(headers);
  const joins = concat?.kind === 'final' ? await partials(parts, request, concat.joins) : undefined;
  const size = joins === undefined ? lengthOf(headers) : joins.reduce((sum, one) => sum + one.size, 0);
  const checksum = checksumOf(headers) ?? contentDigestOf(headers);
  const sha256 = reprDigestOf(headers);
  const body = bodyLength(request);
  const announced = soundUpload({
    ...announcedBy(headers),
    ...(size === undefined ? {} : { size }),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(concat?.kind === 'partial' ? { partial: true } : {}),
    transfer: 'tus',
  });
  const taken = await askOperation(parts, request, {
    flow: uploadFlow,
    key: keyOf(request, reply, announced),
    body: announced,
    wait: 0,
  });
  if (taken.kind === 'settled' && taken.state !== 'succeeded') return sendReply(request, reply, taken);
  reply
    .header('location', new URL(tusUrl(taken.id), parts.publicUrl ?? originOf(request)).href)
    .header('idempotency-status', taken.how)
    .header('hapax-chunk-id', chunkId(taken.id, 0))
    .header('hapax-workflow-id', taken.workflowId);
  const key = headers['idempotency-key'];
  if (key !== undefined && concat?.kind !== 'partial') reply.header('idempotency-key', key);
  const isNew = taken.how === 'created';
  // Nothing has come of an upload that was created this moment, so that nothing has to be read.
  if (isNew && body === 0 && size !== 0 && joins === undefined)
    return tellStanding(reply.code(201), { offset: 0, size: size ?? null, complete: false }).send();
  const record = await uploadOf(gateway, request, taken.id);
  if (joins !== undefined) {
    const joined = await uploads.appends.join(record, joins);
    if (joined !== undefined) throw tusProblem(joined, record.id);
    return tellStanding(reply.code(201), { offset: size ?? 0, size: size ?? 0, complete: true }).send();
  }
  if (!isNew) {
    const now = await uploads.appends.look(record);
    if ('refusal' in now) throw tusProblem(now.refusal, record.id);
    return tellStanding(reply.code(201), now).send();
  }
  const chunk = { method: 'tus', offset: 0, size, stream: body === 0 ? Readable.from([]) : request.raw } as const;
  const promised = { length: body, ends: false, digest: checksum };
  return answerAppended(reply, record, await uploads.appends.append(record, { ...chunk, promised }), 201);
}

/** A partial upload is a means: its client knows it by its URL alone, and a lost one expires. */
function keyOf(request: FastifyRequest, reply: FastifyReply, { partial }: { readonly partial?: boolean | undefined }) {
  if (partial === true) return `partial-${randomUUID()}`;
  requireKey(request, reply, () => undefined);
  return request.idempotencyKey;
}

/**
 * @param evenEmpty whether a body without bytes needs its type too
 * @returns bytes; undefined when the body does not tell its length
 */
export function bodyLength({ headers }: FastifyRequest, evenEmpty = false): number | undefined {
  const bytes = contentLength(headers);
  if ((bytes !== 0 || evenEmpty) && headers['content-type'] !== tusBody)
    throw new HttpProblem('media-type-unsupported', `Content-Type: send bytes as ${tusBody}.`, {
      header: 'Content-Type',
      expected: tusBody,
    });
  return bytes;
}

/** @throws HttpProblem where one of them is no partial upload of the caller, or has not ended */
async function partials({ gateway, uploads }: ProtocolParts, request: FastifyRequest, ids: readonly string[]) {
  const found: { readonly record: OperationRecord; readonly size: number }[] = [];
  for (const id of ids) {
    const record = await uploadOf(gateway, request, id);
    const now = await uploads.appends.lookAtPartial(record);
    if (now === undefined || !now.complete || now.size === null)
      throw new HttpProblem(
        'request-invalid',
        `Upload-Concat: ${tusUrl(id)} is no partial upload all of whose bytes are there.`,
        { header: 'Upload-Concat' },
      );
    found.push({ record, size: now.size });
  }
  return found;
}
