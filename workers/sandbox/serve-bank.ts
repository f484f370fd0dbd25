import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody, sendJson } from './answer.ts';
import type { Sandbox } from './call.ts';
import type { PaymentIntent } from './payment-intent.ts';
import { outcomeOf } from './payment-intent-outcome.ts';
import { authenticate } from './payment-intent-steps.ts';
import { newId } from './provider.ts';
import { tellEvents } from './tell-events.ts';

/** The bank's page of a payment stands at this path and its id. */
export const BANK_PATH = '/bank/';

/** The page at which a buyer confirms a payment or does not (3-D Secure), with a button for each. */
export async function serveBank(
  sandbox: Sandbox,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const { provider } = sandbox;
  const id = url.pathname.slice(BANK_PATH.length);
  const known = provider.ledger.versions.get(id)?.at(-1)?.intent;
  if (known === undefined || url.searchParams.get('client_secret') !== known.clientSecret) {
    return sendJson(response, 404, { error: { message: 'The bank has no such question.' } });
  }
  if (request.method !== 'POST') return page(response, known);
  const passed = new URLSearchParams((await readBody(request)) ?? '').get('outcome') === 'complete';
  // Looked at again: the other button, or the same one twice, may have come first. The first answer counts.
  const asked = provider.ledger.paymentIntent(id);
  if (asked.state.status === 'requires_action') {
    const step = authenticate(asked, passed, newId('ch'));
    provider.execute(() => outcomeOf(step), { requestId: newId('req'), path: url.pathname, key: null }, undefined);
  }
  await tellEvents(sandbox);
  const answered = provider.ledger.paymentIntent(id);
  const confirmed = answered.state.status === 'requires_capture' || answered.state.status === 'succeeded';
  const back = new URL(answered.returnUrl ?? sandbox.publicUrl);
  back.searchParams.set('payment_intent', id);
  back.searchParams.set('redirect_status', confirmed ? 'succeeded' : 'failed');
  response.writeHead(303, { location: back.href }).end();
}

function page(response: ServerResponse, { amount, currency, state }: PaymentIntent): void {
  const asked = state.status === 'requires_action';
  const buttons = `<form method="post">
<button name="outcome" value="complete">Complete</button>
<button name="outcome" value="fail">Fail</button>
</form>`;
  const body = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Confirm a payment</title>
<style>body { font: 1rem system-ui; margin: 4rem auto; max-width: 24rem } button { font: inherit; padding: .5rem 1rem }</style>
<h1>Your bank asks</h1>
<p>${asked ? `Do you want to pay ${amountText(amount, currency)}?` : 'This question has been answered.'}</p>
${asked ? buttons : ''}
</html>
`;
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(body);
}

/** `EUR 12.50`, from minor units. */
function amountText(amount: number, currency: string): string {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency, currencyDisplay: 'code' });
  return format.format(amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 0)).replaceAll('\u00a0', ' ');
}
