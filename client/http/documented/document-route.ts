import { jsonSchemaTransform } from 'fastify-type-provider-zod';
import type { AnswerHeaders } from './answer-headers.ts';

type Transform = typeof jsonSchemaTransform;
type Media = { schema?: { examples?: unknown[] }; example?: unknown; examples?: Record<string, { value: unknown }> };
type Responses = Record<string, { headers?: AnswerHeaders; content?: Record<string, Media> } | undefined>;

/**
 * Converts a route's zod schemas to OpenAPI. The library drops the headers of answers, so they are added here, and it leaves
 * the examples of an answer in its schema, where tools overlook them.
 */
export const documentRoute: Transform = (route) => {
  const documented = jsonSchemaTransform(route);
  const declared = ((route as { schema?: { response?: Responses } }).schema?.response ?? {}) as Responses;
  const responses = ((documented.schema as { response?: Responses } | undefined)?.response ?? {}) as Responses;
  for (const [status, response] of Object.entries(responses)) {
    const headers = declared[status]?.headers;
    if (response !== undefined && headers !== undefined) response.headers = headers;
    for (const media of Object.values(response?.content ?? {})) showExamples(media);
  }
  return documented;
};

function showExamples(media: Media): void {
  const { schema } = media;
  const [first, ...others] = schema?.examples ?? [];
  if (schema === undefined || first === undefined) return;
  delete schema.examples;
  if (others.length === 0) media.example = first;
  else media.examples = Object.fromEntries([first, ...others].map((value, n) => [`example${n + 1}`, { value }]));
}
