import { mkdtemp, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Stripe from 'stripe';
import { onTestFinished } from 'vitest';
import type { Effect } from '../../workers/sandbox/effect.ts';
import { startSandbox, type SandboxOptions } from '../../workers/sandbox/sandbox.ts';

/** The sandbox as a test sees it: Stripe's own client, and the control API over the same socket. */
export interface TestProvider {
  url: string;
  stripe: Stripe;
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body?: unknown): Promise<Answer>;
  effects(query?: string): Promise<Effect[]>;
}

export async function startProvider(options: Partial<SandboxOptions> = {}): Promise<TestProvider> {
  const data = options.data ?? (await temporaryDirectory());
  const sandbox = await startSandbox({ ...options, data });
  onTestFinished(sandbox.close);
  return providerAt(sandbox.url);
}

export function providerAt(url: string): TestProvider {
  const { hostname, port } = new URL(url);
  const httpAgent = new Agent({ keepAlive: true });
  onTestFinished(() => httpAgent.destroy());
  const json = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(url + path, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer as never;
  };
  return {
    url,
    stripe: new Stripe('sk_test_x', {
      host: hostname,
      port: Number(port),
      protocol: 'http',
      maxNetworkRetries: 0,
      httpAgent,
      telemetry: false,
    }),
    get: (path) => json('GET', path),
    post: (path, body) => json('POST', path, body ?? {}),
    effects: (query = '') => json('GET', `/_audit${query}`),
  };
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sandbox-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** What a refused call threw, as Stripe's client puts it. */
export async function refusalOf(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  return call.then(
    () => {
      throw new Error('The call was answered, and should have been refused.');
    },
    (error: Stripe.errors.StripeError) => error,
  );
}

/** Creates a PaymentIntent, for a caller that goes away when the test says so. */
export function callToGiveUp({ url }: Pick<TestProvider, 'url'>, idempotencyKey: string) {
  const away = new AbortController();
  const call = fetch(`${url}/v1/payment_intents`, {
    method: 'POST',
    headers: { authorization: 'Bearer sk_test_x', 'idempotency-key': idempotencyKey },
    body: new URLSearchParams({ ...visa, amount: String(visa.amount) }),
    signal: away.signal,
  });
  const refused = call.catch(() => undefined);
  return {
    async giveUp(): Promise<void> {
      away.abort();
      await refused;
    },
  };
}

export const visa = { amount: 4500, currency: 'eur', payment_method: 'pm_card_visa' } as const;
export const authorise = { ...visa, confirm: true, capture_method: 'manual' } as const;
