import { setTimeout as pause } from 'node:timers/promises';
import { checkoutRequest, type HttpRequest } from '../stack/checkout-request.ts';
import { flowRoute } from '../stack/http-door.ts';
import { signedEvent } from '../stack/signed-event.ts';

/** Where checkouts are asked for, and where they are paid. */
export type Shop = { readonly door: string; readonly sandbox: string };

type Effect = { readonly paymentIntent: string; readonly at: string; readonly metadata: Record<string, string> };

/** So long before the bank decides, its caller waits for the answer. Milliseconds. */
const patience = 50;

/** The machine's time, as the sandbox has it too, with fractions. Milliseconds. */
const now = (): number => performance.timeOrigin + performance.now();

/** @returns milliseconds from the provider's authorisation to the answer of a checkout that does not wait */
export async function tailOfPlain({ door, sandbox }: Shop, key: string): Promise<number> {
  const { id } = await sent(checkoutRequest(door, flowRoute, key), 201);
  const came = now();
  const { at } = await effectOf(sandbox, id, 'payment_intent.confirmed');
  return came - Date.parse(at);
}

/**
 * @returns milliseconds from the moment at which the provider begins to deliver its event to the answer of a checkout that
 * waits for it
 */
export async function tailOfAuthenticated({ door, sandbox }: Shop, key: string): Promise<number> {
  const asks = checkoutRequest(door, flowRoute, key, { paymentMethod: 'pm_card_threeDSecure2Required' });
  const { id } = await sent(asks, 202);
  let came: number | undefined;
  const settled = settlement(door, id).then((state) => {
    came = now();
    if (state !== 'succeeded') throw new Error(`${key} ended as ${state}`);
    return came;
  });
  const { paymentIntent, metadata } = await effectOf(sandbox, id, 'payment_intent.requires_action');
  await pause(patience);
  const decided = await fetch(`${sandbox}/_control/payment_intents/${paymentIntent}/authenticate`, { method: 'POST' });
  if (!decided.ok) throw new Error(`${key}: ${await decided.text()}`);
  const event = signedEvent(door, {
    id: `evt_${key}`,
    type: 'payment_intent.amount_capturable_updated',
    about: { id: paymentIntent, object: 'payment_intent', metadata },
  });
  // Who had looked at the bank by chance would have measured something else.
  if (came !== undefined) throw new Error(`${key} has ended before its event`);
  const delivered = now();
  await sent(event, 200);
  return (await settled) - delivered;
}

async function sent({ url, ...request }: HttpRequest, status: number): Promise<{ readonly id: string }> {
  const answer = await fetch(url, request);
  const body = await answer.text();
  if (answer.status !== status) throw new Error(`${url}: ${answer.status} ${body}`);
  return JSON.parse(body);
}

async function settlement(door: string, id: string): Promise<string> {
  const headers = { authorization: 'Bearer local-alpha', prefer: 'wait=30' };
  const answer = await fetch(`${door}/v1/operations/${id}`, { headers });
  return ((await answer.json()) as { state: string }).state;
}

async function effectOf(sandbox: string, operation: string, type: string): Promise<Effect> {
  const answer = await fetch(`${sandbox}/_audit?operation=${operation}&type=${type}`);
  const [effect, ...more] = (await answer.json()) as Effect[];
  if (effect === undefined || more.length > 0) throw new Error(`${operation} has ${more.length + 1} or no ${type}`);
  return effect;
}
