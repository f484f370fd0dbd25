import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { chunkId } from '../../../../workflows/operation/key.ts';
import { uploadFlow } from '../../../../workflows/upload.flow.ts';
import { askOperation } from '../../operations/ask-operation.ts';
import { sendReply } from '../../operations/send-reply.ts';
import { HttpProblem } from '../../problems/http-problem.ts';
import { contentDigestOf, reprDigestOf } from '../../protocol/digest-fields.ts';
import { contentLength } from '../../protocol/content-length.ts';
import { originOf } from '../../protocol/sound-target.ts';
import { soundUpload } from '../announced-upload.ts';
import { uploadOf } from '../upload-of.ts';
import type { ProtocolParts } from '../protocol-parts.ts';
import { answerAppended, interim, resumableProblem, tellStanding } from './resumable-answers.ts';
import { bytesIn, completes, dialectOf, filenameOf, limits, resumableUrl } from './resumable-headers.ts';

/**
 * Begins an upload, or joins the one that has its key. The bytes that come along are the first ones; where others have
 * come already, the caller is told from where to go on.
 */
export async function resumableCreate(parts: ProtocolParts, request: FastifyRequest, reply: FastifyReply) {
  const { gateway, uploads } = parts;
  const { headers } = request;
  const dialect = dialectOf(headers);
  // Without the header the request is an ordinary upload, which brings all bytes.
  const ends = completes(headers, dialect) ?? true;
  const length = contentLength(headers);
  const told = bytesIn(headers, 'upload-length');
  const size = ends ? (length ?? told) : told;
  if (told !== undefined && size !== told)
    throw new HttpProblem(
      'request-invalid',
      'Upload-Length: the body has another length, and is said to be all of it.',
      {
        header: 'Upload-Length',
      },
    );
  const digest = contentDigestOf(headers);
  const asked = request.query as Readonly<Record<string, string>>;
  const sha256 = reprDigestOf(headers);
  const announced = soundUpload({
    name: filenameOf(headers) ?? 'upload',
    type: headers['content-type'] ?? 'application/octet-stream',
    destination: 'uploads',
    ...asked,
    ...(size === undefined ? {} : { size }),
    ...(sha256 === undefined ? {} : { sha256 }),
    transfer: 'resumable',
  });
  const key = request.idempotencyKey;
  const taken = await askOperation(parts, request, { flow: uploadFlow, key, body: announced, wait: 0 });
  if (taken.kind === 'settled') return sendReply(request, reply, taken);
  const location = new URL(resumableUrl(taken.id), parts.publicUrl ?? originOf(request)).href;
  reply.headers({
    location,
    'idempotency-status': taken.how,
    'hapax-chunk-id': chunkId(taken.id, 0),
    'hapax-workflow-id': taken.workflowId,
    'idempotency-key': headers['idempotency-key'],
  });
  interim(reply, dialect, { Location: location, ...limits(dialect) });
  const record = await uploadOf(gateway, request, taken.id);
  const answering = { dialect, gateway, request, offset: 0, status: 201 } as const;
  if (length === 0 && !ends) {
    const now = await uploads.appends.look(record);
    if ('refusal' in now) throw resumableProblem(now.refusal, record.id);
    return tellStanding(reply.code(201), dialect, now).send();
  }
  const appended = await uploads.appends.append(record, {
    method: 'resumable',
    stream: length === 0 ? Readable.from([]) : request.raw,
    offset: 0,
    size,
    promised: { length, ends, digest },
    acknowledged: (offset) => interim(reply, dialect, { 'Upload-Offset': String(offset) }),
  });
  return await answerAppended(reply, record, appended, answering);
}
