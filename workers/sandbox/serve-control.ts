import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { readBody, sendJson } from './answer.ts';
import { filterEffects } from './effect.ts';
import { faultRules } from './fault-rule.ts';
import { outcomeOf } from './payment-intent-outcome.ts';
import { authenticate } from './payment-intent-steps.ts';
import { presentPaymentIntent } from './present-payment-intent.ts';
import { newId } from './provider.ts';
import type { Sandbox } from './serve-v1.ts';
import { StripeError } from './stripe-error.ts';

const settingsChange = z.strictObject({
  keyWindowMs: z.number().min(0).optional(),
  searchLagMs: z.number().min(0).optional(),
  clockOffsetMs: z.number().optional(),
});
const releaseWish = z.strictObject({ id: z.string().optional(), all: z.literal(true).optional() });
const authentication = z.strictObject({ outcome: z.enum(['succeed', 'fail']).default('succeed') });

const AUTHENTICATE = /^\/_control\/payment_intents\/([^/]+)\/authenticate$/;

/** Answers what is no part of Stripe: the audit, and the handles by which tests set things up. */
export async function serveControl(
  sandbox: Sandbox,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const { provider, faults, holds, log } = sandbox;
  const text = (await readBody(request)) ?? '';
  const plan = () => ({ rules: faults.report(), held: holds.report() });
  // Also an observer must never see what a crash could still take back.
  await provider.durable();
  try {
    switch (`${request.method} ${url.pathname}`) {
      case 'GET /healthz':
        return sendJson(response, 200, { status: 'ok' });
      case 'GET /_audit':
        return sendJson(response, 200, filterEffects(provider.ledger.effects, url.searchParams));
      case 'GET /_violations':
        return sendJson(response, 200, log.violations());
      case 'GET /_requests':
        return sendJson(response, 200, log.requests(url.searchParams));
      case 'GET /_control/faults':
        return sendJson(response, 200, plan());
      case 'POST /_control/faults':
        faults.add(faultRules.parse(json(text)));
        return sendJson(response, 200, plan());
      case 'DELETE /_control/faults':
        faults.clear();
        return sendJson(response, 200, plan());
      case 'POST /_control/release':
        return sendJson(response, 200, { released: holds.release(releaseWish.parse(json(text)).id) });
      case 'GET /_control/settings':
        return sendJson(response, 200, provider.settings);
      case 'POST /_control/settings':
        Object.assign(provider.settings, settingsChange.parse(json(text)));
        return sendJson(response, 200, provider.settings);
    }
    const intent = AUTHENTICATE.exec(url.pathname)?.[1];
    if (request.method === 'POST' && intent !== undefined) {
      const passed = authentication.parse(json(text)).outcome === 'succeed';
      return sendJson(response, 200, await authenticated(sandbox, intent, passed, url.pathname));
    }
    sendJson(response, 404, { error: { message: `There is no ${request.method} ${url.pathname}.` } });
  } catch (error) {
    const message = problemOf(error);
    if (message === undefined) throw error;
    sendJson(response, 400, { error: { message } });
  }
}

/** What the customer does on the bank's page; the PaymentIntent moves on without any request of ours. */
async function authenticated({ provider }: Sandbox, id: string, passed: boolean, path: string) {
  const intent = provider.ledger.paymentIntent(id);
  const step = authenticate(intent, passed, newId('ch'));
  provider.execute(() => outcomeOf(step), { requestId: newId('req'), path, key: null }, undefined);
  await provider.durable();
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
