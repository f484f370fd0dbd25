import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, cut, drop, readBody, reset, send } from './answer.ts';
import type { FaultPlan } from './fault-plan.ts';
import type { FaultRule } from './fault-rule.ts';
import { decodeForm, fingerprint } from './form.ts';
import type { Holds } from './holds.ts';
import type { StoredAnswer } from './key-store.ts';
import { newId, type Provider, type Sabotage } from './provider.ts';
import type { Logged, RequestLog } from './request-log.ts';
import { findRoute } from './routes.ts';
import { now } from './settings.ts';
import { keyInUse, StripeError, tooManyRequests, unauthorized } from './stripe-error.ts';

export interface Sandbox {
  provider: Provider;
  faults: FaultPlan;
  holds: Holds;
  log: RequestLog;
}

interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  text: string;
  seen: Logged;
  fault: FaultRule | undefined;
}

/** Answers one request to /v1: the door, the fault before, the effect, the fault after, the answer. */
export async function serveV1(
  sandbox: Sandbox,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const text = await readBody(request);
  // Half a request is none: Stripe would never have seen it whole.
  if (text === undefined) return drop(response);
  const seen = look(sandbox, request, url, text);
  sandbox.log.add(seen);
  const fault = sandbox.faults.take(seen);
  seen.fault = fault?.fault ?? null;
  const call = { request, response, url, text, seen, fault };

  switch (fault?.fault) {
    case 'drop_before':
      return drop(response);
    case 'reset':
      return reset(response);
  }
  const answer = await answerTo(sandbox, call);
  if (answer === undefined) return;
  await sandbox.provider.durable();
  await deliver(sandbox, call, answer);
}

async function answerTo(sandbox: Sandbox, call: Call): Promise<Answer | undefined> {
  const { seen, fault } = call;
  const headers: Record<string, string> = { 'request-id': seen.requestId };
  const version = call.request.headers['stripe-version'];
  if (typeof version === 'string') headers['stripe-version'] = version;
  if (seen.key !== null) headers['idempotency-key'] = seen.key;
  try {
    if (!/^Bearer sk_\w+$/.test(call.request.headers.authorization ?? '')) throw unauthorized();
    if (fault?.fault === '409') throw keyInUse(seen.key);
    if (fault?.fault === '429') {
      if (fault.retryAfter !== null) headers['retry-after'] = fault.retryAfter;
      throw tooManyRequests();
    }
    const stored = await runRoute(sandbox, call, headers);
    return stored && { ...stored, headers };
  } catch (error) {
    if (!(error instanceof StripeError)) throw error;
    return { status: error.status, body: JSON.stringify({ error: error.body }), headers };
  }
}

async function runRoute(
  sandbox: Sandbox,
  call: Call,
  headers: Record<string, string>,
): Promise<StoredAnswer | undefined> {
  const { provider } = sandbox;
  const { ledger, settings } = provider;
  const route = findRoute(call.seen.method, call.seen.path);
  switch (route.kind) {
    case 'read': {
      if (!(await beforeEffect(sandbox, call))) return undefined;
      const body = route.read(ledger, call.url.searchParams, route.id, settings);
      return { status: 200, body: JSON.stringify(body) };
    }
    case 'write': {
      const { key: value, path, requestId } = call.seen;
      const key = value === null ? null : { value, fingerprint: fingerprint(call.text) };
      if (key !== null) {
        const claim = ledger.keys.claim(key.value, path, key.fingerprint, now(settings), settings.keyWindowMs);
        headers['original-request'] = claim.kind === 'replay' ? claim.originalRequest : requestId;
        if (claim.kind === 'replay') {
          call.seen.replayed = true;
          headers['idempotent-replayed'] = 'true';
          return (await beforeEffect(sandbox, call)) ? claim.answer : undefined;
        }
      }
      try {
        const execution = route.prepare(decodeForm(call.text), route.id);
        if (!(await beforeEffect(sandbox, call))) return undefined;
        return provider.execute(execution, { requestId, path, key }, sabotageOf(call.fault));
      } finally {
        if (key !== null) ledger.keys.release(key.value);
      }
    }
  }
}

/** Waits as the fault says; false when the client went away meanwhile and nothing shall happen. */
async function beforeEffect(sandbox: Sandbox, call: Call): Promise<boolean> {
  const { fault } = call;
  if (fault?.fault === 'delay_before') await sleep(fault.delayMs);
  if (fault?.fault !== 'hold_before') return true;
  return hold(sandbox, call, 'before', fault.outlivesClient ? undefined : clientGone(call.response));
}

/** The effect is on the disk; what is still open is whether the client hears of it. */
async function deliver(sandbox: Sandbox, call: Call, answer: Answer): Promise<void> {
  const { response, seen, fault } = call;
  if (fault?.fault === 'delay_after') await sleep(fault.delayMs);
  if (fault?.fault === 'hold_after' && !(await hold(sandbox, call, 'after', clientGone(response)))) return;
  switch (fault?.fault) {
    case 'drop_after':
      return drop(response);
    case 'reset_after':
      return reset(response);
  }
  seen.status = answer.status;
  switch (fault?.fault) {
    case 'cut':
      return cut(response, answer);
    case 'garble':
      return send(response, { ...answer, status: 200, body: answer.body.slice(0, Math.floor(answer.body.length / 2)) });
    case 'empty':
      return send(response, { ...answer, status: 200, body: '' });
    default:
      return send(response, answer);
  }
}

function hold(
  sandbox: Sandbox,
  { seen }: Call,
  boundary: 'before' | 'after',
  gone: Promise<void> | undefined,
): Promise<boolean> {
  const { method, path, key, operation, requestId } = seen;
  const since = new Date(now(sandbox.provider.settings)).toISOString();
  return sandbox.holds.wait({ method, path, key, operation, requestId, boundary, since }, gone);
}

function clientGone(response: ServerResponse): Promise<void> {
  if (response.destroyed || response.socket?.destroyed !== false) return Promise.resolve();
  return new Promise((resolve) => response.once('close', resolve));
}

function sabotageOf(fault: FaultRule | undefined): Sabotage {
  if (fault?.fault === '500_before') return 'fails_before';
  return fault?.fault === '500_after' ? 'fails_after' : undefined;
}

function look({ provider }: Sandbox, request: IncomingMessage, url: URL, text: string): Logged {
  const key = request.headers['idempotency-key'];
  return {
    at: new Date(now(provider.settings)).toISOString(),
    method: request.method ?? '',
    path: url.pathname,
    key: typeof key === 'string' && key !== '' ? key : null,
    operation: operationOf(provider, url.pathname, text),
    requestId: newId('req'),
    status: null,
    replayed: false,
    fault: null,
  };
}

/** The operation that the request names, or else that of the PaymentIntent it is about. */
function operationOf({ ledger }: Provider, path: string, text: string): string | null {
  const form = new URLSearchParams(text);
  const intent = form.get('payment_intent') ?? path.split('/')[3] ?? '';
  return form.get('metadata[operation]') ?? ledger.versions.get(intent)?.at(-1)?.intent.metadata.operation ?? null;
}
