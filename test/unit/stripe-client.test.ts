import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { Throttled } from '../../activities/stores/outcomes/throttled.ts';
import { stripeClient } from '../../activities/stores/payments/stripe/stripe-client.ts';
import { stripeProvider } from '../../activities/stores/payments/stripe/stripe-provider.ts';
import type { Undoing } from '../../activities/stores/sending.ts';

const sending: Undoing = {
  ...{ operation: 'op_1', tenant: 'alpha', environment: 'test', key: 'k', stepKey: 's' },
  ...{ age: 0, attempt: 1, timeout: 5_000, signal: new AbortController().signal },
};
const wish = { amount: 100, currency: 'eur', metadata: { operation: 'op_1', tenant: 'alpha', order: 'ord_1' } };

/** A provider at an address that answers so, and what it was asked. */
async function answering(answer: RequestListener) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.method ?? '');
    request.resume();
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return { seen, provider: stripeProvider(stripeClient('sk_test_local', `http://127.0.0.1:${port}`)) };
}

it('sends a call once where its connection is closed without an answer', async () => {
  const { seen, provider } = await answering((request) => void request.socket.resetAndDestroy());
  await expect(provider.open(wish, sending)).rejects.toThrow('no clear answer');
  expect(seen).toEqual(['POST']);
});

it.each([
  ['confirm', (provider: Provider) => provider.confirm('pi_1', { paymentMethod: 'pm_1' }, sending)],
  ['capture', (provider: Provider) => provider.capture('pi_1', 100, sending)],
  ['cancel', (provider: Provider) => provider.cancel('pi_1', sending)],
] as const)('does not take a %s for turned away because the look behind it was', async (_name, call) => {
  const { seen, provider } = await answering(({ method }, response) => {
    const [status, code] = method === 'POST' ? [500, 'api_error'] : [429, 'rate_limit'];
    response.writeHead(status, { 'content-type': 'application/json', 'retry-after': '40' });
    response.end(JSON.stringify({ error: { type: 'api_error', code, message: 'x' } }));
  });
  const met: unknown = await call(provider).catch((error: unknown) => error);
  expect(met).toBeInstanceOf(Error);
  expect(met).not.toBeInstanceOf(Throttled);
  expect(seen).toEqual(['POST', 'GET']);
});

type Provider = ReturnType<typeof stripeProvider>;
