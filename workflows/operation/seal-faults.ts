import type { z } from 'zod';

type Sealing = { readonly request: z.ZodObject; readonly hashed: readonly string[]; readonly route?: string };

/**
 * Looks whether a flow can keep the fields secret that it seals.
 * @returns what is wrong, one sentence each: the flow, the field, and how to mend it
 */
export function sealFaults(
  flow: string,
  sealed: readonly string[],
  { request, hashed, route = '' }: Sealing,
): readonly string[] {
  const unknown = sealed.filter((field) => !Object.hasOwn(request.shape, field));
  const shown = sealed.filter((field) => route.includes(`{${field}}`));
  const bare = hashed.filter((field) => !sealed.includes(field));
  return [
    ...unknown.map(
      (field) => `Flow ${flow} seals ${field}, which its request does not have: name a field of its schema.`,
    ),
    ...shown.map(
      (field) =>
        `Flow ${flow} seals ${field}, which stands in the path of its route and so in logs and histories: move it to the body.`,
    ),
    ...bare.map(
      (field) =>
        `Flow ${flow} hashes ${field} and does not seal it: its plain hash would stand in the fingerprint. Name it in \`sealed\` too.`,
    ),
  ];
}
