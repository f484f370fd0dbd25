import { z } from 'zod';
import { longestKey } from './idempotency-key.ts';

/**
 * No leading quote, which begins the other form, and no comma, which may join two keys. Spaces at either end are not
 * part of the key.
 */
const bare = z
  .string()
  .min(1)
  .max(longestKey)
  .regex(/^[\x21\x23-\x2b\x2d-\x7e]([\x20-\x2b\x2d-\x7e]*[\x21-\x2b\x2d-\x7e])?$/)
  .meta({ title: 'bare', examples: ['5f0c7a3e-2b9d-4c61-9d0e-7a41c2f6b8d3'] });

/** A string of a structured field (RFC 9651): any printable ASCII character, the quote and the backslash escaped. */
const quoted = z
  .string()
  .regex(/^"([\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255}"( *;[\x20-\x7e]*)?$/)
  .meta({ title: 'quoted', examples: ['"order 4711, first part"'] });

/** The header for OpenAPI. `idempotencyKey` reads it, and a test keeps the two in agreement. */
export const keySchema = z
  .union([bare, quoted])
  .describe(
    `1–${longestKey} printable ASCII characters, made before the first attempt and reused for every retry, such as a random UUID. ` +
      'With or without the quotes of a structured field it is the same key; parameters after the quotes are ignored. A ' +
      'key that looks like an e-mail address or a card number is refused.',
  )
  .meta({ examples: ['5f0c7a3e-2b9d-4c61-9d0e-7a41c2f6b8d3'] });
