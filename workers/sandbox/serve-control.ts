import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { readBody, sendJson } from './answer.ts';
import type { Sandbox } from './call.ts';
import { controlMoney } from './control-money.ts';
import { filterEffects } from './effect.ts';
import { faultRules } from './fault-rule.ts';
import { outcomeOf } from './payment-intent-outcome.ts';
import { authenticate } from './payment-intent-steps.ts';
import { presentPaymentIntent } from './present-payment-intent.ts';
import { newId } from './provider.ts';
import { findEvent } from './provider-event.ts';
import { StripeError } from './stripe-error.ts';
import { tellEvents } from './tell-events.ts';
import { webhookWish } from './webhook-plan.ts';

const settingsChange = z.strictObject({
  keyWindowMs: z.number().min(0).optional(),
  searchLagMs: z.number().min(0).optional(),
  clockOffsetMs: z.number().optional(),
  profile: z.enum(['stripe', 'only_2xx', 'keyless']).optional(),
});
const releaseWish = z.strictObject({ id: z.string().optional(), all: z.literal(true).optional() });
const authentication = z.strictObject({ outcome: z.enum(['succeed', 'fail']).default('succeed') });

const RESEND = /^\/_control\/webhooks\/([^/]+)\/resend$/;
const AUTHENTICATE = /^\/_control\/payment_intents\/([^/]+)\/authenticate$/;

/** Serves what Stripe does not have: the audit, and the controls with which tests set things up. */
export async function serveControl(
  sandbox: Sandbox,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const text = (await readBody(request)) ?? '';
  try {
    const answer = answerTo(sandbox, request.method ?? '', url, text);
    // Even an observer must never see what a crash could still undo.
    await tellEvents(sandbox);
    if (answer !== undefined) return sendJson(response, 200, answer);
    sendJson(response, 404, { error: { message: `There is no ${request.method} ${url.pathname}.` } });
  } catch (error) {
    const message = problemOf(error);
    if (message === undefined) throw error;
    sendJson(response, 400, { error: { message } });
  }
}

function answerTo(sandbox: Sandbox, method: string, url: URL, text: string): unknown {
  const { provider, faults, holds, log, webhooks } = sandbox;
  const plan = () => ({ rules: faults.report(), held: holds.report() });
  switch (`${method} ${url.pathname}`) {
    case 'GET /healthz':
      return { status: 'ok' };
    case 'GET /_audit':
      return filterEffects(provider.ledger.effects, url.searchParams);
    case 'GET /_violations':
      return log.violations();
    case 'GET /_requests':
      return log.requests(url.searchParams);
    case 'GET /_control/faults':
      return plan();
    case 'POST /_control/faults':
      faults.add(faultRules.parse(json(text)));
      return plan();
    case 'DELETE /_control/faults':
      faults.clear();
      return plan();
    case 'POST /_control/release':
      return { released: holds.release(releaseWish.parse(json(text)).id) };
    case 'GET /_control/webhooks':
      return webhooks.report();
    case 'POST /_control/webhooks':
      webhooks.set(webhookWish.parse(json(text)));
      return webhooks.report();
    case 'DELETE /_control/webhooks':
      webhooks.forget();
      return webhooks.report();
    case 'GET /_control/settings':
      return provider.settings;
    case 'POST /_control/settings':
      return Object.assign(provider.settings, settingsChange.parse(json(text)));
  }
  const resent = RESEND.exec(url.pathname)?.[1];
  if (method === 'POST' && resent !== undefined) {
    webhooks.resend(findEvent(provider.ledger.events, resent));
    return webhooks.report();
  }
  if (method !== 'POST') return undefined;
  const intent = AUTHENTICATE.exec(url.pathname)?.[1];
  if (intent === undefined) return controlMoney(provider, url.pathname, json(text));
  return authenticated(sandbox, intent, authentication.parse(json(text)).outcome === 'succeed', url.pathname);
}

/** Acts as the customer on the bank's page. The PaymentIntent moves on without any request of ours. */
function authenticated({ provider }: Sandbox, id: string, passed: boolean, path: string): unknown {
  const step = authenticate(provider.ledger.paymentIntent(id), passed, newId('ch'));
  provider.execute(() => outcomeOf(step), { requestId: newId('req'), path, key: null }, undefined);
  return presentPaymentIntent(step.intent);
}

function json(text: string): unknown {
  return JSON.parse(text === '' ? '{}' : text);
}

function problemOf(error: unknown): string | undefined {
  if (error instanceof z.ZodError) return z.prettifyError(error);
  if (error instanceof SyntaxError || error instanceof StripeError) return error.message;
  return undefined;
}
