import { jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';
import { isPosted } from '../../../workflows/operation/flow.ts';
import { flowRoute } from '../routes/route-params.ts';

type Transform = typeof jsonSchemaTransformObject;
type Paths = Record<string, { readonly post?: { requestBody?: { required?: boolean } } } | undefined>;

/** The whole document. The library says of every body that it is required; a flow's whose path says all may be missing. */
export function documentWhole(flows: readonly AnyFlow[]): Transform {
  return (document) => {
    const whole = jsonSchemaTransformObject(document);
    const paths = (whole as { readonly paths?: Paths }).paths ?? {};
    for (const flow of flows.filter(isPosted)) {
      const body = paths[`/v1/${flow.route}`]?.post?.requestBody;
      if (body !== undefined && flowRoute(flow).bodyless) body.required = false;
    }
    return whole;
  };
}
