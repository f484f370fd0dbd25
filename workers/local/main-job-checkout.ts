import { moneyText } from '../../activities/money-text.ts';
import type { Door } from './door.ts';
import type { Say } from './say.ts';

type Effect = { type: string; amount: number; currency: string };

/**
 * One checkout, requested three times with one key: twice at the same moment, as an impatient customer does, and once
 * more after it is done. The three answers are equal, and there is one charge.
 */
export async function checkoutOnce(options: {
  door: Door;
  key: string;
  sandboxUrl?: string | undefined;
  say: Say;
}): Promise<string | undefined> {
  const { door, key, say } = options;
  const body = {
    cartId: `cart-${key}`,
    items: [{ sku: 'mug-blue', quantity: 2 }],
    paymentMethod: 'pm_card_visa',
    email: 'ada@example.com',
  };
  const ask = () => door.ask('POST', '/v1/checkouts', { key, body });
  say(`Checkout: two blue mugs, requested three times with the key ${key}`);
  const started = Date.now();
  const answers = await Promise.all([ask(), ask()]);
  const settledAfter = Date.now() - started;
  const replayStarted = Date.now();
  answers.push(await ask());
  const replayedAfter = Date.now() - replayStarted;
  const [first] = answers;
  if (!first) throw new Error('no answer');
  if (new Set(answers.map((answer) => answer.text)).size !== 1) {
    throw new Error(`The three answers differ:\n${answers.map((answer) => answer.text).join('\n')}`);
  }
  say(`  three answers, equal byte for byte: ${first.status} ${first.text}`);
  say(`  settled in ${settledAfter} ms, replayed in ${replayedAfter} ms`);
  if (options.sandboxUrl) say(`  ${await countCharges(options.sandboxUrl, String(first.body['id']))}`);
  return first.workflowId;
}

/** @throws unless the provider's own records show one charge for the operation */
async function countCharges(sandboxUrl: string, operation: string): Promise<string> {
  const response = await fetch(`${sandboxUrl}/_audit?operation=${encodeURIComponent(operation)}`);
  const effects = (await response.json()) as Effect[];
  const charges = effects.filter((effect) => effect.type === 'payment_intent.captured');
  const [charge] = charges;
  if (!charge || charges.length > 1) {
    throw new Error(`The payment sandbox counts ${charges.length} charges for ${operation} instead of one`);
  }
  const amount = moneyText({ minor: charge.amount, currency: charge.currency });
  return `the payment sandbox counts one charge, of ${amount}`;
}
