import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { RequestOf } from '../../../workflows/operation/flow.ts';
import { chunkId, partId } from '../../../workflows/operation/key.ts';
import { uploadFlow } from '../../../workflows/upload.flow.ts';
import type { Gateway } from '../../gateway.ts';
import type { Uploads } from '../../uploads/uploads.ts';
import { assetRoutes } from '../assets/asset-routes.ts';
import type { FlowAdditions } from '../flow-additions.ts';
import { originOf } from '../protocol/sound-target.ts';
import { partialBody, resumableUrl } from './resumable/resumable-headers.ts';
import { resumableRoutes } from './resumable/resumable-routes.ts';
import { partRoutes, shownPart, signedPartSchema } from './part-routes.ts';
import { s3Routes } from './s3/s3-routes.ts';
import { s3Webhook } from './s3-webhook.ts';
import { tusBody, tusUrl } from './tus/tus-headers.ts';
import { tusRoutes } from './tus/tus-routes.ts';
import { uploadRoutes } from './upload-routes.ts';
import { type WatchedBody, watchBodies } from './watch-bodies.ts';

const url = z.string();

const transferSchema = z
  .object({
    method: z.enum(['PUT', 'PATCH']),
    url,
    headers: z.record(z.string(), z.string()).describe('Send them unchanged'),
    offset: z
      .int()
      .optional()
      .describe('With PATCH: how many bytes have come. Send the others, in one request or in several.'),
    chunk: z.string().optional().describe('The id of the bytes to send next, as logs and `Hapax-Chunk-Id` have it'),
    complete: z
      .object({ method: z.literal('POST'), url })
      .optional()
      .describe('Ends a transfer straight to the object store: send it once the PUT was answered. Repeatable.'),
  })
  .meta({ id: 'Transfer', description: 'Where and how to send the bytes. Signed afresh for each answer.' });

const multipartSchema = z
  .object({
    partSize: z.int().nullable().describe('Bytes of each part but the last; null where the caller chooses'),
    count: z.int().optional().describe('How many parts there are'),
    arrived: z
      .array(z.object({ id: z.string(), number: z.int(), size: z.int(), etag: z.string() }))
      .describe('What has come'),
    parts: z
      .array(signedPartSchema)
      .describe('What is missing, at most 100 of it. Send them as they are, or ask `sign` first with their checksums.'),
    sign: z.object({ method: z.literal('POST'), url }).describe('Signs parts for exactly the bytes that a caller has.'),
    complete: z.object({ method: z.literal('POST'), url }).describe('Ends the transfer. Repeatable.'),
  })
  .meta({ id: 'MultipartTransfer', description: 'A transfer in parts, straight to the object store.' });

type UploadAdditionParts = {
  readonly gateway: Gateway;
  readonly uploads: Uploads;
  /** The address of the HTTP API as callers see it; by default the address that a request was sent to. */
  readonly publicUrl: string | undefined;
  /** Called with what became of each body. */
  readonly countBody: (body: WatchedBody) => void;
  /** The bucket whose notifications are taken from who knows the secret. */
  readonly notices: { readonly bucket: string; readonly secret: string | undefined } | undefined;
};

type Transfer = z.output<typeof transferSchema> | z.output<typeof multipartSchema>;

export function uploadAdditions({
  gateway,
  uploads,
  publicUrl,
  notices,
  countBody,
}: UploadAdditionParts): FlowAdditions {
  return {
    flow: uploadFlow,
    routes: async (app) => {
      const protocol = { gateway, uploads, publicUrl, additions: { refusal: async () => await uploads.refusal() } };
      await app.register(async (scope) => {
        watchBodies(scope, 'door', countBody);
        uploadRoutes(scope, gateway, uploads);
      });
      await app.register(async (scope) => partRoutes(scope, gateway, uploads));
      await app.register(async (scope) => assetRoutes(scope, uploads.assets, publicUrl));
      await app.register(async (scope) => s3Routes({ ...protocol, app: scope }));
      await app.register(async (scope) => {
        watchBodies(scope, 'tus', countBody);
        tusRoutes({ ...protocol, app: scope });
      });
      await app.register(async (scope) => {
        watchBodies(scope, 'resumable', countBody);
        resumableRoutes({ ...protocol, app: scope });
      });
    },
    openRoutes: (app) => notices && s3Webhook(app, uploads, notices.bucket, notices.secret),
    searched: { sha256: uploadFlow.request.shape.sha256 },
    offered: { transfer: z.union([transferSchema, multipartSchema]).optional() },
    refusal: () => uploads.refusal(),
    async offer(record, request) {
      const transfer = await transferOf(uploads, record, request, publicUrl ?? originOf(request));
      return transfer === undefined ? {} : { transfer };
    },
  };
}

/** Signed afresh for each answer: signed URLs are never stored. */
async function transferOf(
  uploads: Uploads,
  record: OperationRecord,
  request: FastifyRequest,
  base: string,
): Promise<Transfer | undefined> {
  // A caller that announces again may choose the other way this time.
  const { transfer: wanted } = (request.body ?? {}) as Pick<RequestOf<typeof uploadFlow>, 'transfer'>;
  const plan = await uploads.plan(record, wanted);
  const urlOf = (what: string) => new URL(`/v1/uploads/${record.id}/${what}`, base).href;
  switch (plan?.way) {
    case undefined:
      return undefined;
    case 'door':
      return { method: 'PUT', url: urlOf('content'), headers: { 'content-type': plan.type } };
    case 'resumable':
      return {
        method: 'PATCH',
        url: new URL(resumableUrl(record.id), base).href,
        headers: { 'upload-offset': `${plan.offset}`, 'upload-complete': '?1', 'content-type': partialBody },
        offset: plan.offset,
        chunk: chunkId(record.id, plan.offset),
      };
    case 'tus':
      return {
        method: 'PATCH',
        url: new URL(tusUrl(record.id), base).href,
        headers: { 'tus-resumable': '1.0.0', 'upload-offset': `${plan.offset}`, 'content-type': tusBody },
        offset: plan.offset,
        chunk: chunkId(record.id, plan.offset),
      };
    case 'multipart':
      return {
        partSize: plan.plan.partSize,
        ...(plan.plan.count === undefined ? {} : { count: plan.plan.count }),
        arrived: plan.plan.arrived.map((part) => ({ id: partId(record.id, part.number), ...part })),
        parts: plan.plan.parts.map((part) => shownPart(record.id, part)),
        sign: { method: 'POST', url: urlOf('parts') },
        complete: { method: 'POST', url: urlOf('complete') },
      };
    case 'presigned':
      return { ...plan.put, headers: { ...plan.put.headers }, complete: { method: 'POST', url: urlOf('complete') } };
  }
}
