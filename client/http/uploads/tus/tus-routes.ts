import { z } from 'zod';
import { largestUpload } from '../../../../workflows/operation/part-limits.ts';
import { announcement, isPartial } from '../../../uploads/upload-parts.ts';
import { operationId } from '../../documented/schemas.ts';
import { contentDigestOf } from '../../protocol/digest-fields.ts';
import { HttpProblem } from '../../problems/http-problem.ts';
import { cancelUpload } from '../cancel-upload.ts';
import { uploadOf } from '../upload-of.ts';
import type { ProtocolParts } from '../protocol-parts.ts';
import { answerAppended, tellStanding, tusProblem } from './tus-answers.ts';
import { bodyLength, tusCreate } from './tus-create.ts';
import { bytesOf, checksumOf, tusAlgorithms, tusExtensions, tusPath, tusUrl, tusVersion } from './tus-headers.ts';

/** "An OPTIONS request MAY be used to gather information about the Server's current configuration." */
const toldByOptions = {
  'tus-resumable': tusVersion,
  'tus-version': tusVersion,
  'tus-extension': tusExtensions.join(','),
  'tus-max-size': String(largestUpload),
  'tus-checksum-algorithm': tusAlgorithms.join(','),
};

const schema = { hide: true, params: z.object({ id: operationId }) };

/**
 * tus 1.0 (https://tus.io/protocols/resumable-upload): one translator of several into the same appends. The protocol is
 * documented there, and what is ours in docs/uploads.md.
 */
export function tusRoutes(parts: ProtocolParts): void {
  const { app, gateway, uploads } = parts;
  app.removeAllContentTypeParsers();
  // The body is streamed, and is never held in memory.
  app.addContentTypeParser('*', (_request, body, done) => done(null, body));
  app.addHook('onSend', (_request, reply, payload, next) => {
    // "The Tus-Resumable header MUST be included in every request and response except for OPTIONS requests."
    reply.header('tus-resumable', tusVersion);
    next(null, payload);
  });
  app.addHook('preParsing', (request, reply, _payload, next) => {
    if (request.headers['tus-resumable'] !== tusVersion) {
      reply.header('tus-version', tusVersion);
      return next(
        new HttpProblem('protocol-version-unsupported', `Tus-Resumable: send ${tusVersion}.`, {
          header: 'Tus-Resumable',
          expected: tusVersion,
        }),
      );
    }
    next();
  });

  app.post(
    tusPath,
    { bodyLimit: largestUpload, schema: { hide: true }, config: { takesKey: true, toldByOptions } },
    async (request, reply) => await tusCreate(parts, request, reply),
  );

  app.head(`${tusPath}/:id`, { schema, config: { toldByOptions } }, async (request, reply) => {
    const record = await uploadOf(gateway, request);
    const now = await uploads.appends.lookAlone(record);
    if ('refusal' in now) throw tusProblem(now.refusal, record.id);
    const { metadata } = announcement(record);
    if (metadata !== undefined) reply.header('upload-metadata', metadata);
    if (now.size === null) reply.header('upload-defer-length', '1');
    else reply.header('upload-length', now.size);
    if (isPartial(record)) reply.header('upload-concat', 'partial');
    else if (now.joins !== undefined) reply.header('upload-concat', `final;${now.joins.map(tusUrl).join(' ')}`);
    return tellStanding(reply, now).send();
  });

  app.patch(`${tusPath}/:id`, { bodyLimit: largestUpload, schema }, async (request, reply) => {
    const { headers } = request;
    const length = bodyLength(request, true);
    const offset = bytesOf(headers, 'Upload-Offset');
    if (offset === undefined)
      throw new HttpProblem('request-invalid', 'Upload-Offset: say where the bytes begin.', {
        header: 'Upload-Offset',
      });
    const promised = { length, ends: false, digest: checksumOf(headers) ?? contentDigestOf(headers) };
    const record = await uploadOf(gateway, request);
    const chunk = {
      method: 'tus',
      stream: request.raw,
      offset,
      size: bytesOf(headers, 'Upload-Length'),
      promised,
    } as const;
    const now = await uploads.appends.append(record, chunk);
    return answerAppended(reply, record, now, 204);
  });

  app.delete(`${tusPath}/:id`, { schema }, async (request, reply) => {
    await cancelUpload(gateway, await uploadOf(gateway, request));
    return reply.code(204).send();
  });
}
