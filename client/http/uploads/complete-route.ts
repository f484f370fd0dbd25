import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Gateway } from '../../gateway.ts';
import type { Uploads } from '../../uploads/uploads.ts';
import { operationId } from '../documented/schemas.ts';
import { acceptJson } from '../protocol/json-body.ts';
import { crc64nvme } from './part-routes.ts';
import { uploadOf } from './upload-of.ts';
import { answerReceived, receivedResponse } from './upload-routes.ts';

const told = z.strictObject({
  crc64nvme: crc64nvme
    .optional()
    .describe('Of the whole file, for parts that have come without checksums of their own'),
});

/** The route that ends a transfer to the object store. Repeatable: a repeated request gets the same answer. */
export function completeRoute(instance: FastifyInstance, gateway: Gateway, uploads: Uploads): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  acceptJson(app, true);
  app.post(
    '/v1/uploads/:id/complete',
    {
      schema: {
        summary: 'Say that the bytes have been sent; repeatable, needs no key',
        description:
          'For a transfer plan that names the object store: this API does not see that PUT, so this request ends the transfer.',
        tags: ['uploads'],
        params: z.object({ id: operationId }),
        body: told.nullish(),
        response: receivedResponse,
      },
    },
    async (request, reply) => {
      const record = await uploadOf(gateway, request);
      return await answerReceived(gateway, record, await uploads.complete(record, request.body?.crc64nvme), reply);
    },
  );
}
