import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HttpProblem } from '../../client/http/problems/http-problem.ts';
import { idempotencyKey } from '../../client/http/protocol/idempotency-key.ts';
import { keySchema } from '../../client/http/protocol/key-schema.ts';

/** Whether the door takes a header with this value, as it arrives: without spaces around it (RFC 9112, 5.1). */
function taken(value: string): boolean {
  try {
    idempotencyKey({ rawHeaders: ['Idempotency-Key', value] } as unknown as IncomingMessage);
    return true;
  } catch (error) {
    if (!(error instanceof HttpProblem)) throw error;
    // A key that says too much of a person has the form of a key all the same.
    return error.refusal.code === 'key-personal';
  }
}

it('what OpenAPI says of a key is what the door takes', () => {
  const unit = fc.constantFrom('a', '0', '"', '\\', ',', ';', ' ', '~', '!', '\t', '\u007f', '\u00e9', '\0');
  const value = fc.oneof(
    fc.string({ unit, maxLength: 8 }),
    fc.string({ unit: 'grapheme-ascii', maxLength: 20 }),
    fc
      .tuple(fc.string({ unit, maxLength: 8 }), fc.string({ unit, maxLength: 4 }))
      .map(([key, end]) => `"${key}"${end}`),
    fc.integer({ min: 250, max: 260 }).map((length) => 'k'.repeat(length)),
    fc.integer({ min: 250, max: 260 }).map((length) => `"${'\\"'.repeat(length)}"`),
  );
  fc.assert(
    fc.property(value, (text) => {
      const arrived = text.replace(/^[ \t]+|[ \t]+$/g, '');
      expect(keySchema.safeParse(arrived).success).toBe(taken(arrived));
    }),
    { numRuns: 5_000 },
  );
});
