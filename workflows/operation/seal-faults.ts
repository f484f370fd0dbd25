import type { z } from 'zod';

type Sealing = { readonly request: z.ZodObject; readonly route?: string };

/**
 * Looks whether a flow can keep the fields secret that it seals.
 * @returns what is wrong, one sentence each: the flow, the field, and how to mend it
 */
export function sealFaults(
  flow: string,
  sealed: readonly string[],
  { request, route = '' }: Sealing,
): readonly string[] {
  const unknown = sealed.filter((field) => !Object.hasOwn(request.shape, field));
  const shown = sealed.filter((field) => route.includes(`{${field}}`));
  return [
    ...unknown.map(
      (field) => `Flow ${flow} seals ${field}, which its request does not have: name a field of its schema.`,
    ),
    ...shown.map(
      (field) =>
        `Flow ${flow} seals ${field}, which stands in the path of its route and so in logs and histories: move it to the body.`,
    ),
  ];
}
