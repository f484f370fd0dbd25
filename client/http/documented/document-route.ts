import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import type { AnswerHeaders } from './answer-headers.ts';

type Transform = typeof jsonSchemaTransform;
type Responses = Record<string, { headers?: AnswerHeaders } | undefined>;

/** Converts a route's zod schemas to OpenAPI. The library drops the headers of answers, so they are added here. */
export const documentRoute: Transform = (route) => {
  const documented = jsonSchemaTransform(route);
  const declared = ((route as { schema?: { response?: Responses } }).schema?.response ?? {}) as Responses;
  const responses = ((documented.schema as { response?: Responses } | undefined)?.response ?? {}) as Responses;
  for (const [status, response] of Object.entries(responses)) {
    const headers = declared[status]?.headers;
    if (response !== undefined && headers !== undefined) response.headers = headers;
  }
  return documented;
};
