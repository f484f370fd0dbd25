import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Asset } from '../../../activities/stores/postgres/assets/read-asset.ts';
import type { Assets } from '../../uploads/assets.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders } from '../documented/answer-headers.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { originOf } from '../protocol/sound-target.ts';
import { assetParams } from './asset-params.ts';
import { assetSchema, assetView } from './asset-view.ts';
import { sendAsset } from './send-asset.ts';
import { expectOwner, readerOf, shownAsset } from './shown-asset.ts';

const tags = ['assets'];
const { looksUp, takesBody } = routeCodes;
/** OpenAPI's notation for raw bytes. */
const bytes = z.unknown().meta({ type: 'string', format: 'binary' });
const whole = { description: 'All bytes.', content: { '*/*': { schema: bytes } } };
const part = { description: 'The bytes that the range names.', content: { '*/*': { schema: bytes } } };

/** Files that are ready: looked at, downloaded, deleted and restored. All of it is repeatable and needs no key. */
export function assetRoutes(instance: FastifyInstance, assets: Assets, publicUrl: string | undefined): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const view = async (request: FastifyRequest, asset: Asset) =>
    await assetView(assets, asset, publicUrl ?? originOf(request));

  app.get(
    '/v1/assets/:id',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Look at a file',
        tags,
        params: assetParams,
        response: {
          200: answer(
            'The file as it is now. A deleted one is shown while it can be restored.',
            assetSchema,
            lookHeaders,
          ),
          ...problems(...looksUp),
        },
      },
    },
    async (request) => await view(request, await shownAsset(assets, request)),
  );

  app.get(
    '/v1/assets/:id/content',
    {
      config: { role: 'viewer' },
      schema: {
        summary: 'Download a file',
        description:
          'With `Range` a part of it (206), with `If-None-Match` only what is not known (304). It is sent to be saved; ' +
          'with `disposition=inline` pictures, sound and films whose bytes show what they are may be shown in place.',
        tags,
        params: assetParams,
        querystring: z.strictObject({ disposition: z.enum(['inline', 'attachment']).optional() }),
        response: {
          200: whole,
          206: part,
          304: z.null().describe('The caller has these bytes already.'),
          ...problems(...looksUp, 'range-unsatisfiable', 'storage-unavailable'),
        },
      },
    },
    async (request, reply) => {
      const asset = await shownAsset(assets, request);
      if (asset.deleted !== undefined) throw new HttpProblem('not-found', 'The file is deleted: restore it first.');
      if (asset.lost)
        throw new HttpProblem('not-found', 'The object store has lost the bytes of this file: upload them again.');
      const inline = request.query.disposition === 'inline';
      return await sendAsset({ assets, asset, reader: readerOf(request), inline }, request, reply);
    },
  );

  app.delete(
    '/v1/assets/:id',
    {
      schema: {
        summary: 'Delete a file; repeatable, needs no key',
        description: 'It can be restored until `restorableUntil`. Its bytes go with the last file that shares them.',
        tags,
        params: assetParams,
        response: {
          200: answer('The file, deleted by this request or by an earlier one.', assetSchema, lookHeaders),
          ...problems(...looksUp, ...takesBody),
        },
      },
    },
    async (request) => await changed(request, true, async (asset) => await assets.remove(request.caller.tenant, asset)),
  );

  app.post(
    '/v1/assets/:id/restore',
    {
      schema: {
        summary: 'Restore a deleted file; repeatable, needs no key',
        description: 'It comes back beside whatever has taken its name since.',
        tags,
        params: assetParams,
        response: {
          200: answer('The file, restored by this request or by an earlier one.', assetSchema, lookHeaders),
          ...problems(...looksUp, ...takesBody),
        },
      },
    },
    async (request) =>
      await changed(request, false, async (asset) => await assets.restore(request.caller.tenant, asset)),
  );

  async function changed(request: FastifyRequest, evenGone: boolean, change: (asset: Asset) => Promise<void>) {
    const asset = await shownAsset(assets, request, evenGone);
    expectOwner(request, asset);
    await change(asset);
    return await view(request, await shownAsset(assets, request, evenGone));
  }
}
