import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { authorise, startProvider, type TestProvider } from './provider.ts';

/** A payment whose buyer is at the bank's page. */
async function asked({ stripe }: TestProvider) {
  const intent = await stripe.paymentIntents.create(
    { ...authorise, payment_method: 'pm_card_threeDSecure2Required', return_url: 'https://shop.example/back' },
    { idempotencyKey: 'asked' },
  );
  return { id: intent.id, url: intent.next_action?.redirect_to_url?.url as string };
}

/** Presses a button, but keeps back the end of the form until `rest` is called. @returns the status of the redirect */
async function pressing(url: string, outcome: 'complete' | 'fail') {
  const { hostname, port, pathname, search } = new URL(url);
  const form = `outcome=${outcome}`;
  const socket = connect(Number(port), hostname);
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  const head = [
    `POST ${pathname}${search} HTTP/1.1`,
    'host: bank',
    `content-length: ${form.length}`,
    'connection: close',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${form.slice(0, 3)}`);
  return {
    rest: () => socket.write(form.slice(3)),
    ended: new Promise<string | undefined>((resolve) =>
      socket.on('end', () => resolve(/redirect_status=(\w+)/.exec(text)?.[1])),
    ),
  };
}

const decisions = async ({ effects }: TestProvider) =>
  (await effects()).map(({ type }) => type).filter((type) => /confirmed|declined/.test(type));

test('the first answer of a buyer counts, though both buttons are pressed at once', async () => {
  const provider = await startProvider();
  const { url } = await asked(provider);
  const [complete, fail] = [await pressing(url, 'complete'), await pressing(url, 'fail')];
  // Both have been looked at by now, and neither has said what it is.
  await new Promise((resolve) => setTimeout(resolve, 50));
  complete.rest();
  expect(await complete.ended).toBe('succeeded');
  fail.rest();
  expect(await fail.ended).toBe('succeeded');
  expect(await decisions(provider)).toEqual(['payment_intent.confirmed']);
});

test('a question is shown to who knows its secret, and once answered has no buttons', async () => {
  const provider = await startProvider();
  const { url } = await asked(provider);
  expect(await (await fetch(url)).text()).toMatch(/>Complete<.*>Fail</s);
  expect((await fetch(url.replace(/client_secret=.*/, 'client_secret=guessed'))).status).toBe(404);
  const body = new URLSearchParams({ outcome: 'fail' });
  const back = await fetch(url, { method: 'POST', body, redirect: 'manual' });
  expect(back.headers.get('location')).toMatch(
    /^https:\/\/shop\.example\/back\?payment_intent=pi_\w+&redirect_status=failed$/,
  );
  expect(await (await fetch(url)).text()).not.toContain('button name');
  expect(await decisions(provider)).toEqual(['payment_intent.declined']);
});

test('the page says what is to be paid as people write it', async () => {
  const provider = await startProvider();
  const { url } = await asked(provider);
  expect(await (await fetch(url)).text()).toContain(`Do you want to pay EUR ${(authorise.amount / 100).toFixed(2)}?`);
});
