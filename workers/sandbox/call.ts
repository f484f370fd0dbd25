import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FaultPlan } from './fault-plan.ts';
import type { FaultRule } from './fault-rule.ts';
import type { Holds } from './holds.ts';
import type { MessageBook } from './message-book.ts';
import { newId, type Provider } from './provider.ts';
import type { Logged, RequestLog } from './request-log.ts';
import { now } from './settings.ts';
import type { WebhookSender } from './webhook-sender.ts';

/** What all requests share. */
export interface Sandbox {
  provider: Provider;
  faults: FaultPlan;
  holds: Holds;
  log: RequestLog;
  /** Tells the endpoint what happens. */
  webhooks: WebhookSender;
  messages: MessageBook;
  /** Without a path. */
  publicUrl: string;
  /** Aborted when the sandbox closes: a request that still waits then must have no effect any more. */
  closing: AbortSignal;
}

/** One request to /v1, read completely, with the fault that is planned for it. */
export interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  url: URL;
  text: string;
  seen: Logged;
  fault: FaultRule | undefined;
}

/** Logs the request and takes its fault from the plan. */
export function beginCall(
  { provider, faults, log }: Sandbox,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  text: string,
): Call {
  const key = request.headers['idempotency-key'];
  const seen: Logged = {
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
  log.add(seen, provider.settings.profile !== 'keyless');
  const fault = faults.take(seen);
  seen.fault = fault?.fault ?? null;
  return { request, response, url, text, seen, fault };
}

/** The operation that the request names, or else that of the PaymentIntent it is about. */
function operationOf({ ledger }: Provider, path: string, text: string): string | null {
  const form = new URLSearchParams(text);
  const intent = form.get('payment_intent') ?? path.split('/')[3] ?? '';
  return form.get('metadata[operation]') ?? ledger.versions.get(intent)?.at(-1)?.intent.metadata.operation ?? null;
}
