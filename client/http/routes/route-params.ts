import { z } from 'zod';
import type { PostedFlow } from '../../../workflows/operation/flow.ts';

/** A field of the request that stands in the path, as `{name}`. */
const field = /\{(\w+)\}/g;

type FlowRoute = {
  /** As the router writes it. */
  readonly path: string;
  /** What stands in the path; undefined where nothing does. */
  readonly params: z.ZodObject | undefined;
  /** What stands in the body. */
  readonly body: z.ZodObject;
  /** Whether a request without a body says all that there is to say. */
  readonly bodyless: boolean;
};

/** Where a flow's POST is, and where each field of its request is read from. */
export function flowRoute({ name, route, request }: PostedFlow): FlowRoute {
  const names = [...route.matchAll(field)].map(([, one]) => one as string);
  const path = `/v1/${route.replace(field, ':$1')}`;
  if (names.length === 0) return { path, params: undefined, body: request, bodyless: false };
  const unknown = names.filter((one) => !Object.hasOwn(request.shape, one));
  if (unknown.length > 0)
    throw new TypeError(`The route of flow ${name} names ${unknown.join(', ')}, which its request does not have.`);
  const part = (inPath: boolean) =>
    z.strictObject(Object.fromEntries(Object.entries(request.shape).filter(([key]) => names.includes(key) === inPath)));
  const examples = (request.meta()?.examples ?? []) as readonly Readonly<Record<string, unknown>>[];
  const body = part(false).meta({
    examples: examples.map((one) => Object.fromEntries(Object.entries(one).filter(([key]) => !names.includes(key)))),
  });
  return { path, params: part(true), body, bodyless: body.safeParse({}).success };
}

/** The collection that the route belongs to, such as `orders`. */
export function collectionOf({ route }: PostedFlow): string {
  return route.split('/')[0] as string;
}
