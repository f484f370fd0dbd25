import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { largestUpload } from '../../../../workflows/operation/part-limits.ts';
import { uploadFlow } from '../../../../workflows/upload.flow.ts';
import { operationId } from '../../documented/schemas.ts';
import { HttpProblem } from '../../problems/http-problem.ts';
import { contentLength } from '../../protocol/content-length.ts';
import { contentDigestOf } from '../../protocol/digest-fields.ts';
import { requireKey } from '../../routes/flow-routes.ts';
import { cancelUpload } from '../cancel-upload.ts';
import { uploadOf } from '../upload-of.ts';
import type { ProtocolParts } from '../protocol-parts.ts';
import { answerAppended, interim, resumableProblem, tellStanding } from './resumable-answers.ts';
import { resumableCreate } from './resumable-create.ts';
import { bytesIn, completes, dialectOf, limits, partialBody, resumablePath } from './resumable-headers.ts';

const { name, destination, dedup, whenSame } = uploadFlow.request.shape;
const querystring = z.strictObject({ name: name.optional(), destination: destination.optional(), dedup, whenSame });
const schema = { hide: true, params: z.object({ id: operationId }) };
/** "the server MUST include the Accept-Patch header field" in an answer to OPTIONS. */
const toldByOptions = { 'accept-patch': partialBody, ...limits({ version: 8, told: true }) };

/**
 * Resumable uploads of the IETF (draft-ietf-httpbis-resumable-upload): one translator of several into the same appends.
 * What differs between drafts is in `resumable-headers.ts`; what is ours is in docs/uploads.md.
 */
export function resumableRoutes(parts: ProtocolParts): void {
  const { app, gateway, uploads } = parts;
  app.removeAllContentTypeParsers();
  // The body is streamed, and is never held in memory.
  app.addContentTypeParser('*', (_request, body, done) => done(null, body));

  app.post(
    resumablePath,
    {
      bodyLimit: largestUpload,
      onRequest: requireKey,
      config: { takesKey: true, toldByOptions },
      schema: { hide: true, querystring },
    },
    async (request, reply) => await resumableCreate(parts, request, reply),
  );

  app.head(`${resumablePath}/:id`, { schema, config: { toldByOptions } }, async (request, reply) => {
    const dialect = dialectOf(request.headers);
    const record = await uploadOf(gateway, request);
    const now = await uploads.appends.lookAlone(record);
    if ('refusal' in now) throw resumableProblem(now.refusal, record.id);
    if (now.size !== null) reply.header('upload-length', now.size);
    return tellStanding(reply.code(204), dialect, now).send();
  });

  app.patch(
    `${resumablePath}/:id`,
    { bodyLimit: largestUpload, schema },
    async (request, reply) => await resumableAppend(parts, request, reply),
  );

  app.delete(`${resumablePath}/:id`, { schema }, async (request, reply) => {
    await cancelUpload(gateway, await uploadOf(gateway, request));
    return reply.code(204).send();
  });
}

async function resumableAppend({ gateway, uploads }: ProtocolParts, request: FastifyRequest, reply: FastifyReply) {
  const { headers } = request;
  const dialect = dialectOf(headers);
  const type = headers['content-type'];
  if (dialect.version >= 6 && type !== partialBody)
    throw new HttpProblem('media-type-unsupported', `Content-Type: append bytes as ${partialBody}.`, {
      header: 'Content-Type',
      expected: partialBody,
    });
  const offset = bytesIn(headers, 'upload-offset');
  const ends = completes(headers, dialect);
  if (offset === undefined) throw missing('Upload-Offset', 'say where the bytes begin');
  if (ends === undefined)
    throw missing(
      dialect.version === 3 ? 'Upload-Incomplete' : 'Upload-Complete',
      'say whether the upload ends with these bytes: ?1 or ?0',
    );
  const length = contentLength(headers);
  const told = bytesIn(headers, 'upload-length');
  const size = ends && length !== undefined ? offset + length : told;
  const digest = contentDigestOf(headers);
  const record = await uploadOf(gateway, request);
  const appended = await uploads.appends.append(record, {
    method: 'resumable',
    stream: length === 0 ? Readable.from([]) : request.raw,
    offset,
    size,
    promised: { length, ends, digest },
    acknowledged: (now) => interim(reply, dialect, { 'Upload-Offset': String(now) }),
  });
  return await answerAppended(reply, record, appended, { dialect, gateway, request, offset, status: 204 });
}

function missing(header: string, what: string): HttpProblem {
  return new HttpProblem('request-invalid', `${header}: ${what}.`, { header });
}
