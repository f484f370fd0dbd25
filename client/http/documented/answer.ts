import type { z } from 'zod';
import type { AnswerHeaders } from './answer-headers.ts';

/** A successful answer for a route's schema: what it means, its body and its headers. */
export function answer<Schema extends z.ZodType>(description: string, schema: Schema, headers: AnswerHeaders) {
  return { description, headers, content: { 'application/json': { schema } } };
}
