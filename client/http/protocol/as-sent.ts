import type { FastifyValidationResult } from 'fastify/types/schema.js';
import { validatorCompiler } from 'fastify-type-provider-zod';

type Schema = Parameters<typeof validatorCompiler>[0];

/**
 * Validates a body and leaves it as it was sent. Fastify would otherwise replace it with what the schema makes of it:
 * defaults would enter the fingerprint, and a deploy that changes one would mistake each retry for another request.
 */
export function asSent(route: { readonly httpPart?: string | undefined }): FastifyValidationResult {
  // A flow's one header is its key, which is read before the body.
  if (route.httpPart === 'headers') return () => true;
  const validate = validatorCompiler(route as Schema);
  return (data: unknown) => {
    const { error } = validate(data) as { error?: Error };
    return error === undefined ? { value: data } : { error };
  };
}
