import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Answer, drop, readBody, reset } from './answer.ts';
import { afterEffect, beforeEffect } from './boundary.ts';
import { beginCall, type Call, type Sandbox } from './call.ts';
import type { FaultRule } from './fault-rule.ts';
import { decodeForm, fingerprint } from './form.ts';
import type { StoredAnswer } from './key-store.ts';
import type { Sabotage } from './provider.ts';
import { BANK_AT_STRIPE } from './present-payment-intent.ts';
import { findRoute, type Route } from './routes.ts';
import { BANK_PATH } from './serve-bank.ts';
import { now } from './settings.ts';
import { tellEvents } from './tell-events.ts';
import { keyInUse, StripeError, tooManyRequests, unauthorized } from './stripe-error.ts';

/** Serves one request to /v1 in stages, each with its faults: the connection, the key, the effect, the answer. */
export async function serveV1(
  sandbox: Sandbox,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const text = await readBody(request);
  // Half a request counts as none: Stripe would never have received it.
  if (text === undefined) return drop(response);
  const call = beginCall(sandbox, request, response, url, text);
  if (call.fault?.fault === 'drop_before') return drop(response);
  if (call.fault?.fault === 'reset') return reset(response);
  const answer = await answerTo(sandbox, call);
  if (answer === undefined) return;
  await tellEvents(sandbox);
  await afterEffect(sandbox, call, answer);
}

async function answerTo(sandbox: Sandbox, call: Call): Promise<Answer | undefined> {
  const { request, seen, fault } = call;
  const headers: Record<string, string> = { 'request-id': seen.requestId };
  const version = request.headers['stripe-version'];
  if (typeof version === 'string') headers['stripe-version'] = version;
  if (seen.key !== null) headers['idempotency-key'] = seen.key;
  try {
    if (!/^Bearer sk_[\w-]+$/.test(request.headers.authorization ?? '')) throw unauthorized();
    if (fault?.fault === '409') throw keyInUse(seen.key);
    if (fault?.fault === '429') {
      if (fault.retryAfter !== null) headers['retry-after'] = fault.retryAfter;
      throw tooManyRequests();
    }
    const route = findRoute(seen.method, seen.path);
    const answer =
      route.kind === 'read' ? await read(sandbox, call, route) : await write(sandbox, call, route, headers);
    // What is kept names Stripe's page. The buyer of a sandbox goes to the sandbox's.
    return (
      answer && { ...answer, body: answer.body.replaceAll(BANK_AT_STRIPE, `${sandbox.publicUrl}${BANK_PATH}`), headers }
    );
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    return { status: error.status, body: JSON.stringify({ error: error.body }), headers };
  }
}

async function read(
  sandbox: Sandbox,
  call: Call,
  { read, id }: Extract<Route, { kind: 'read' }>,
): Promise<StoredAnswer | undefined> {
  if (!(await beforeEffect(sandbox, call))) return undefined;
  const { ledger, settings } = sandbox.provider;
  return { status: 200, body: JSON.stringify(read(ledger, call.url.searchParams, id, settings)) };
}

async function write(
  sandbox: Sandbox,
  call: Call,
  { prepare, id }: Extract<Route, { kind: 'write' }>,
  headers: Record<string, string>,
): Promise<StoredAnswer | undefined> {
  const { provider } = sandbox;
  const { keys } = provider.ledger;
  const { key: value, path, requestId } = call.seen;
  const { profile } = provider.settings;
  const key = value === null || profile === 'keyless' ? null : { value, fingerprint: fingerprint(call.text) };
  if (key !== null) {
    const { settings } = provider;
    const claim = keys.claim(key.value, path, key.fingerprint, now(settings), settings.keyWindowMs);
    headers['original-request'] = claim.kind === 'replay' ? claim.originalRequest : requestId;
    if (claim.kind === 'replay') {
      call.seen.replayed = true;
      headers['idempotent-replayed'] = 'true';
      return (await beforeEffect(sandbox, call)) ? claim.answer : undefined;
    }
  }
  try {
    const execution = prepare(decodeForm(call.text), id);
    if (!(await beforeEffect(sandbox, call))) return undefined;
    return provider.execute(execution, { requestId, path, key }, sabotageOf(call.fault));
  } finally {
    // If the request was refused or dropped before the execution, Stripe keeps nothing under the key.
    if (key !== null) keys.release(key.value);
  }
}

function sabotageOf(fault: FaultRule | undefined): Sabotage {
  if (fault?.fault === '500_before') return 'fails_before';
  return fault?.fault === '500_after' ? 'fails_after' : undefined;
}
