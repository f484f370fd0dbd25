import { z } from 'zod';

const plain = z.enum([
  'drop_before',
  'drop_after',
  'reset',
  'reset_after',
  '409',
  '500_before',
  '500_after',
  'garble',
  'cut',
  'empty',
  'hold_after',
]);

const match = z.strictObject({
  /** A regular expression. It matches from the start when it begins with `/`, otherwise anywhere in the path. */
  path: z.string().refine(isPattern, 'is not a regular expression').optional(),
  method: z.string().optional(),
  /** `metadata.operation`, or the start of the idempotency key. */
  operation: z.string().optional(),
  /** The start of the idempotency key. */
  key: z.string().optional(),
});

const frame = {
  match: match.default({}),
  /** How many requests it hits. */
  times: z.number().int().min(1).default(1),
  /** How many matching requests it lets pass first. */
  after: z.number().int().min(0).default(0),
};

const rule = z.discriminatedUnion('fault', [
  z.strictObject({ ...frame, fault: plain }),
  z.strictObject({ ...frame, fault: z.enum(['delay_before', 'delay_after']), delayMs: z.number().int().min(0) }),
  z.strictObject({
    ...frame,
    fault: z.literal('hold_before'),
    /** Stays held when the client disconnects, like a request that arrives late, after its sender has died. */
    outlivesClient: z.boolean().default(false),
  }),
  z.strictObject({
    ...frame,
    fault: z.literal('429'),
    /** The Retry-After header, word for word, however wrong; null leaves it out. */
    retryAfter: z.string().nullable().default('1'),
  }),
]);

/** The body of `POST /_control/faults`. */
export const faultRules = z.union([z.array(rule), rule.transform((one) => [one])]);

export type FaultRule = z.infer<typeof rule>;

export function pathPattern(path: string): RegExp {
  return new RegExp(path.startsWith('/') ? `^(?:${path})` : path);
}

function isPattern(path: string): boolean {
  try {
    pathPattern(path);
    return true;
  } catch {
    return false;
  }
}
