import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type AnyFlow, isPosted } from '../../../workflows/operation/flow.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders } from '../documented/answer-headers.ts';
import { operationId, preferHeader } from '../documented/schemas.ts';
import type { Additions } from '../flow-additions.ts';
import type { OperationViews } from '../operations/operation-views.ts';
import { pageQuery } from '../operations/page-query.ts';
import { collectionOf } from './route-params.ts';
import { problems, routeCodes } from '../problems/route-problems.ts';
import { cursorPattern } from '../protocol/page-cursor.ts';

type CollectionParts = {
  readonly flows: readonly AnyFlow[];
  readonly views: OperationViews;
  readonly additions: Additions;
  /** One operation, as OpenAPI describes it. */
  readonly operation: z.ZodType;
};

/**
 * Looks into the collection that each flow's POST adds to: one operation by its id, or a page of them. Who has lost
 * everything but a key finds the operation by it, with what to do next.
 */
export function collectionRoutes(
  instance: FastifyInstance,
  { flows, views, additions, operation }: CollectionParts,
): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  // A POST to a part of a collection adds nothing to it: its operations are listed with all others.
  for (const flow of flows.filter(isPosted).filter((one) => one.route === collectionOf(one))) {
    const tags = [flow.route];
    const searched = additions.searched(flow);
    app.get(
      `/v1/${flow.route}/:id`,
      {
        config: { role: 'viewer' },
        schema: {
          summary: `${flow.title}: look at one`,
          tags,
          params: z.object({ id: operationId }),
          headers: z.looseObject(preferHeader),
          response: {
            200: answer('The operation as it is now, or as it ended.', operation, lookHeaders),
            ...problems(...routeCodes.looksUp),
          },
        },
      },
      async (request) => await views.look(request, request.params.id, flow),
    );
    const page = z.object({ [flow.route]: z.array(operation), next: z.string().regex(cursorPattern).optional() });
    app.get(
      `/v1/${flow.route}`,
      {
        config: { role: 'viewer' },
        schema: {
          summary: `${flow.title}: list, newest first`,
          tags,
          querystring: z.strictObject({ ...searched, ...pageQuery }),
          response: {
            200: answer('One page. `next` is present while older operations may follow.', page, lookHeaders),
            ...problems(),
          },
        },
      },
      async (request) => {
        const asked = Object.entries(request.query).filter(([name, value]) => name in searched && value !== undefined);
        const { operations, ...more } = await views.page(request, request.query, {
          flow: flow.name,
          request: asked.length === 0 ? undefined : Object.fromEntries(asked),
        });
        return { [flow.route]: operations, ...more };
      },
    );
  }
}
