import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { resendFlow } from '../../../workflows/resend.flow.ts';
import { signupFlow } from '../../../workflows/signup.flow.ts';
import type { Database } from '../../../activities/stores/postgres/database.ts';
import { seconds } from '../../../workflows/operation/duration.ts';
import { linkKey } from '../../../workflows/operation/key.ts';
import type { Gateway } from '../../gateway.ts';
import { HttpProblem } from '../problems/http-problem.ts';
import { ignoreBodies } from '../protocol/ignore-bodies.ts';
import { pageHtml, signupPages } from './signup-pages.ts';
import { type SignupStanding, signupStanding } from './signup-standing.ts';

type Parts = { readonly database: Database; readonly gateway: Gateway };
type Asked = { Querystring: { readonly token?: unknown } };

/** After the click a person should find the account there. Milliseconds. */
const accountWithin = seconds(5);

/**
 * The page behind the link of a sign-up. Whoever has the token owns the address. Looking has no effect, since mail scanners open
 * links before people do.
 */
export function verifyRoutes(app: FastifyInstance, parts: Parts): void {
  ignoreBodies(app);
  const schema = { hide: true };

  app.get<Asked>('/v1/signups/verify', { schema }, async (request, reply) => {
    const token = tokenOf(request.query);
    const { kind } = await signupStanding(parts, token);
    return sendPage(reply, signupPages[kind](token));
  });

  app.post<Asked>('/v1/signups/verify', { schema }, async (request, reply) => {
    const token = tokenOf(request.query);
    const standing = await confirmed(parts, token);
    if (wantsPage(request)) return sendPage(reply, signupPages[standing.kind](token));
    if (standing.kind === 'confirmed') return secret(reply).send({ id: standing.record.id, address: 'confirmed' });
    const { title, says } = signupPages[standing.kind](token);
    throw new HttpProblem(standing.kind === 'unknown' ? 'not-found' : 'expired', `${title}. ${says}`);
  });

  app.post<Asked>('/v1/signups/verify/resend', { schema }, async (request, reply) => {
    const token = tokenOf(request.query);
    const page = await resent(parts, token);
    if (wantsPage(request) || page.status === 200) return sendPage(reply, page);
    throw new HttpProblem(page.status === 429 ? 'resent-too-soon' : 'expired', `${page.title}. ${page.says}`);
  });
}

/** Confirms the address where its sign-up still waits for that. Repeatable. */
async function confirmed(parts: Parts, token: string): Promise<SignupStanding> {
  const standing = await signupStanding(parts, token);
  if (standing.kind !== 'waits') return standing;
  const { record } = standing;
  const { kind } = await parts.gateway.arrive(signupFlow, record, 'verify', { address: 'confirmed' });
  switch (kind) {
    case 'arrived':
    case 'repeated':
    case 'lost':
      await parts.gateway.settled(record.tenant, record.id, accountWithin);
      return { kind: 'confirmed', record };
    case 'late':
    case 'due':
      return { kind: 'over' };
    case 'missing':
      return { kind: 'unknown' };
  }
}

/** One link gives one new mail, however often its button is pressed. */
async function resent(parts: Parts, token: string) {
  const standing = await signupStanding(parts, token);
  if (standing.kind !== 'stale') return signupPages[standing.kind](token);
  const { tenant, environment, subject, id } = standing.record;
  const call = { tenant, environment, subject, key: linkKey(token), request: { id } };
  const reply = await parts.gateway.ask(resendFlow, call, accountWithin);
  if (reply.kind === 'settled' && reply.state === 'succeeded') return signupPages.resent();
  if (reply.kind === 'not-taken' && reply.refusal.code === 'resent-too-soon') return signupPages.tooSoon(token);
  return signupPages.over();
}

function tokenOf({ token }: Asked['Querystring']): string {
  return typeof token === 'string' ? token : '';
}

/** A browser's form asks for a page, a program for JSON. */
function wantsPage({ headers }: FastifyRequest): boolean {
  return headers.accept?.includes('text/html') === true;
}

function sendPage(reply: FastifyReply, page: Parameters<typeof pageHtml>[0] & { readonly status: number }) {
  return secret(reply).code(page.status).type('text/html; charset=utf-8').send(pageHtml(page));
}

/** The token stands in the address: no cache keeps it, and no other site is told. */
function secret(reply: FastifyReply): FastifyReply {
  return reply.headers({
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    'x-content-type-options': 'nosniff',
  });
}
