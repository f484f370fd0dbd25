import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { days, hours, minutes, seconds } from '../../../workflows/operation/duration.ts';
import { fingerprintVersion } from '../../../workflows/operation/fingerprint.ts';
import { type AnyFlow, isPosted, type PostedFlow } from '../../../workflows/operation/flow.ts';
import { answer } from '../documented/answer.ts';
import { lookHeaders } from '../documented/answer-headers.ts';
import { longestKey } from '../protocol/idempotency-key.ts';
import { problems } from '../problems/route-problems.ts';

/** The answer changes only with a deploy. Seconds. */
const maxAge = 300;

const duration = z.object({
  iso8601: z.string().meta({ examples: ['P30D'] }),
  seconds: z.int().meta({ examples: [2_592_000] }),
});

const published = z.object({
  name: z.string(),
  title: z.string(),
  url: z.string().describe('A POST to it begins an operation'),
  key: z.object({
    header: z.literal('Idempotency-Key'),
    required: z
      .boolean()
      .describe(
        'Where it is false, equal content of one caller is one operation for `contentWindow` from its first arrival',
      ),
    contentWindow: duration.optional(),
    maxLength: z.int().describe('Printable ASCII characters, at least one'),
    scope: z.enum(['subject', 'tenant']).describe('Who shares a key: one subject of a tenant, or all of them'),
  }),
  lifetime: z.object({
    answer: duration.describe(
      'For this long after an operation has ended, its key gets the same bytes: a retry is safe and learns the outcome. `Idempotency-Expires` names the end of that time.',
    ),
    key: duration.describe(
      'For this long after an operation has ended, its key begins nothing new. After `answer` it gets 409 `key-expired`; after `key` it is unknown and would begin a new operation.',
    ),
    retries: duration.describe('For how long callers are expected to retry after their first try'),
  }),
  fingerprint: z.object({
    version: z.int(),
    fields: z
      .array(z.string())
      .describe('Two requests with one key are the same request when these fields are the same'),
  }),
});

/**
 * What a client needs to know before its first request: above all, for how long a retry with the same key is safe. No
 * token needed.
 */
export function configRoute(instance: FastifyInstance, flows: readonly AnyFlow[]): void {
  const config = { flows: flows.filter(isPosted).map(publish) };
  instance.withTypeProvider<ZodTypeProvider>().get(
    '/v1/config',
    {
      schema: {
        summary: 'See how long each flow keeps keys and answers',
        description: 'Public: no token is needed. The answer may be cached for as long as `Cache-Control` says.',
        tags: ['config'],
        security: [],
        response: {
          200: answer('The rules of each flow.', z.object({ flows: z.array(published) }), lookHeaders),
          ...problems(),
        },
      },
    },
    async (_, reply) => {
      reply.header('cache-control', `public, max-age=${maxAge}`);
      return config;
    },
  );
}

/** Open operations never expire, so both lifetimes count from the end. Counted from the first try they are longer still. */
function publish({
  name,
  title,
  route,
  keyScope,
  retention,
  retryHorizon,
  intent,
  contentKey,
}: PostedFlow): z.input<typeof published> {
  return {
    name,
    title,
    url: `/v1/${route}`,
    key: {
      header: 'Idempotency-Key',
      required: contentKey === undefined,
      ...(contentKey === undefined ? {} : { contentWindow: durationOf(contentKey.window) }),
      maxLength: longestKey,
      scope: keyScope,
    },
    lifetime: {
      answer: durationOf(retention.response),
      key: durationOf(retention.tombstone),
      retries: durationOf(retryHorizon),
    },
    fingerprint: { version: fingerprintVersion, fields: [...intent] },
  };
}

function durationOf(milliseconds: number): z.input<typeof duration> {
  return { iso8601: isoDuration(milliseconds), seconds: milliseconds / seconds(1) };
}

/** ISO 8601, in the largest unit from days to seconds that gives a whole number. */
export function isoDuration(milliseconds: number): string {
  const whole = (unit: number) => milliseconds % unit === 0;
  if (whole(days(1))) return `P${milliseconds / days(1)}D`;
  if (whole(hours(1))) return `PT${milliseconds / hours(1)}H`;
  if (whole(minutes(1))) return `PT${milliseconds / minutes(1)}M`;
  return `PT${milliseconds / seconds(1)}S`;
}
