import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { derivationKey } from '../../../workflows/operation/key.ts';
import { deriveFlow, derivativeNames } from '../../../workflows/derive.flow.ts';
import type { Gateway } from '../../gateway.ts';
import type { Assets } from '../../uploads/assets.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders } from '../documented/answer-headers.ts';
import type { FlowAdditions } from '../flow-additions.ts';
import { askOperation } from '../operations/ask-operation.ts';
import { sendReply } from '../operations/send-reply.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { preferredWait } from '../protocol/prefer-wait.ts';
import { originOf } from '../protocol/sound-target.ts';
import { assetParams } from './asset-params.ts';
import { assetSchema, assetView } from './asset-view.ts';
import { expectOwner, shownAsset } from './shown-asset.ts';

type DeriveParts = { readonly gateway: Gateway; readonly assets: Assets; readonly publicUrl: string | undefined };

/** What the flow `derive` adds to the HTTP API: the route that begins it. */
export function deriveAdditions(parts: DeriveParts): FlowAdditions {
  return { flow: deriveFlow, routes: (app) => retryRoute(app, parts) };
}

/** There is one operation for each failure, whoever asks and however often: it needs no key of the caller's. */
function retryRoute(instance: FastifyInstance, { gateway, assets, publicUrl }: DeriveParts): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  app.post(
    '/v1/assets/:id/derivatives/:name/retry',
    {
      schema: {
        summary: 'Make again what is made of a file; repeatable, needs no key',
        description:
          'Where it is there already, nothing is done. A failure is tried once more, for all who ask meanwhile.',
        tags: ['assets'],
        params: assetParams.extend({ name: z.enum(derivativeNames) }),
        response: {
          200: answer('The file, with what was made of it or why not.', assetSchema, lookHeaders),
          202: answer('It is being made: look at the file again, or at `Location`.', assetSchema, lookHeaders),
          ...problems(...routeCodes.looksUp, ...routeCodes.takesBody, ...routeCodes.runs, ...deriveFlow.refusals),
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      const asset = await shownAsset(assets, request);
      expectOwner(request, asset);
      if (asset.deleted !== undefined) throw new HttpProblem('not-found', 'The file is deleted: restore it first.');
      const before = asset.derivatives.find((one) => one.name === name);
      if (before === undefined)
        throw new HttpProblem('not-found', `Nothing of that name is made of this file: ${name}.`);
      if (before.state === 'failed') {
        const { content } = asset;
        const { failedAt } = before;
        const taken = await askOperation({ app, gateway, additions: { refusal: async () => undefined } }, request, {
          flow: deriveFlow,
          key: derivationKey(content, name, failedAt),
          body: { content, derivative: name, failedAt },
          wait: preferredWait(request.headers.prefer, undefined),
        });
        if (taken.kind === 'settled' && taken.state !== 'succeeded') return sendReply(request, reply, taken);
        reply.header('location', `/v1/operations/${taken.id}`).header('hapax-workflow-id', taken.workflowId);
        if (taken.kind === 'open') reply.code(202);
      }
      return await assetView(assets, await shownAsset(assets, request), publicUrl ?? originOf(request));
    },
  );
}
