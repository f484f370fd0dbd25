import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Uploads } from '../../uploads/uploads.ts';
import { HttpProblem } from '../problems/http-problem.ts';

/** A hundred events with long keys; S3 sends one at a time. Bytes. */
const longestNotice = 1024 ** 2;

/** S3's event form ("Event message structure", Amazon S3 user guide), as far as it is read. */
const notice = z.object({
  Records: z
    .array(
      z.object({
        eventName: z.string(),
        s3: z.object({ bucket: z.object({ name: z.string() }), object: z.object({ key: z.string().max(4_096) }) }),
      }),
    )
    .max(1_000)
    .default([]),
});

/** `s3:ObjectCreated:Put` from most stores, `ObjectCreated:Put` from S3 itself. */
const created = /^(?:s3:)?ObjectCreated:/;

/**
 * The store says that an object was written: a caller that never came back to complete its upload has sent its bytes all
 * the same. A notice may come twice, late, or not at all, and proves nothing: it only says where to look.
 * @param secret who knows it may say so; without one there is no such route
 */
export function s3Webhook(app: FastifyInstance, uploads: Uploads, bucket: string, secret: string | undefined): void {
  if (secret === undefined) return;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: longestNotice }, (_request, body, done) =>
    done(null, body),
  );
  app.post('/v1/webhooks/s3', { schema: { hide: true }, bodyLimit: longestNotice }, async (request, reply) => {
    requireSecret(request, secret);
    const told = notice.safeParse(parsed(request.body));
    if (!told.success)
      throw new HttpProblem('body-malformed', 'The body is no notification of S3: send { "Records": [ … ] }.');
    const keys = told.data.Records.filter(
      ({ eventName, s3 }) => created.test(eventName) && s3.bucket.name === bucket,
    ).map(
      // Keys come as in a form: percent-encoded, with a plus for a space.
      ({ s3 }) => decoded(s3.object.key),
    );
    let completed = 0;
    for (const key of new Set(keys)) if (await uploads.noticed(key)) completed += 1;
    return reply.send({ records: told.data.Records.length, completed });
  });
}

/** Stores send it as a bearer token, or in the address where that is all they can be told. */
function requireSecret({ headers, query }: FastifyRequest, secret: string): void {
  const sent = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1] ?? (query as { secret?: unknown }).secret;
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  if (typeof sent !== 'string' || !timingSafeEqual(digest(sent), digest(secret)))
    throw new HttpProblem('unauthenticated', 'Send the secret of this webhook, as a bearer token or as ?secret=.');
}

function parsed(body: unknown): unknown {
  try {
    return JSON.parse(typeof body === 'string' && body !== '' ? body : '{}');
  } catch {
    return undefined;
  }
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    return '';
  }
}
