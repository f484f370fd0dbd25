import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { sealKeys } from '../support/seal-keys.ts';
import { scratch } from './scratch.ts';

/** `npm start`, or a process of its own, until it ends by itself. */
async function start(
  settings: Record<string, string>,
  script = 'workers/local.ts',
): Promise<{ code: unknown; out: string; told: string }> {
  const directory = await scratch();
  const env = { PATH: process.env.PATH, HAPAX_STATE_DIRECTORY: directory, ...settings };
  return await new Promise((resolve) =>
    execFile(process.execPath, [script], { env, timeout: 50_000 }, (fault, out, told) =>
      resolve({ code: fault?.code ?? 0, out, told }),
    ),
  );
}

test('a start that a taken port prevents says so, and nothing of stopping what never ran', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const parts = ['POSTGRES', 'TEMPORAL', 'TEMPORAL_UI', 'S3', 'REDIS', 'NATS', 'SANDBOX', 'SMTP', 'MAIL_UI'];
  const others = parts.map((part) => [`HAPAX_${part}_PORT`, '0']);
  const { code, out, told } = await start({ ...Object.fromEntries(others), HAPAX_HTTP_PORT: String(port) });
  expect(told).toBe(
    `Port ${port}, wanted by the HTTP door, is taken by another program: end that program, or set HAPAX_HTTP_PORT\n`,
  );
  expect([code, out]).toEqual([1, '']);
});

test('a start with one port for two parts names both', async () => {
  const { code, told } = await start({ HAPAX_HTTP_PORT: '7070' });
  expect(told).toContain('HAPAX_HTTP_PORT and HAPAX_S3_PORT are both 7070');
  expect(code).toBe(1);
});

test('a start with a provider that does not answer names the variable', async () => {
  const parts = ['HTTP', 'POSTGRES', 'TEMPORAL', 'TEMPORAL_UI', 'S3', 'REDIS', 'NATS', 'SMTP', 'MAIL_UI'];
  const any = parts.map((part) => [`HAPAX_${part}_PORT`, '0']);
  const { code, told } = await start({ ...Object.fromEntries(any), STRIPE_API_BASE: 'http://127.0.0.1:1' });
  expect(told).toContain('STRIPE_API_BASE is set, but the payment provider there cannot be used');
  expect(code).toBe(1);
});

test('a start with a Redis that does not answer names the variable', async () => {
  const any = ['HTTP', 'POSTGRES', 'TEMPORAL', 'TEMPORAL_UI', 'S3', 'NATS', 'SANDBOX'].map((part) => [
    `HAPAX_${part}_PORT`,
    '0',
  ]);
  const { code, told } = await start({ ...Object.fromEntries(any), REDIS_URL: 'redis://127.0.0.1:1' });
  expect(told).toContain('REDIS_URL is set, but Redis there cannot be used');
  expect(code).toBe(1);
});

test('a start with a broker that does not answer names the variable', async () => {
  const any = ['HTTP', 'POSTGRES', 'TEMPORAL', 'TEMPORAL_UI', 'S3', 'REDIS', 'SANDBOX', 'SMTP', 'MAIL_UI'].map(
    (part) => [`HAPAX_${part}_PORT`, '0'],
  );
  const { code, told } = await start({ ...Object.fromEntries(any), NATS_URL: 'nats://127.0.0.1:1' });
  expect(told).toContain('NATS_URL is set, but the broker there cannot be used');
  expect(code).toBe(1);
});

test('a start with a setting that means nothing says which one, and what it should be', async () => {
  const { code, out, told } = await start({ HAPAX_HTTP_PORT: 'abc' });
  expect(told).toContain('HAPAX_HTTP_PORT is "abc": give a port, a whole number from 0 to 65535');
  expect([code, out]).toEqual([1, '']);
});

/** Enough for the HTTP API but for its callers. Nobody listens at these addresses: it must not come so far as to connect. */
const httpSettings = {
  DATABASE_URL: 'postgres://127.0.0.1:1/none',
  TEMPORAL_ADDRESS: '127.0.0.1:1',
  S3_ENDPOINT: 'http://127.0.0.1:1',
  S3_ACCESS_KEY_ID: 'none',
  S3_SECRET_ACCESS_KEY: 'none',
  STRIPE_SECRET_KEY: 'none',
  HAPAX_SEAL_KEYS: sealKeys,
};

test('a worker without the settings of an outside system does not start, and names what declares them', async () => {
  const { code, out, told } = await start({ ...httpSettings, STRIPE_SECRET_KEY: '' }, 'workers/operations.ts');
  expect(told).toContain(
    'STRIPE_SECRET_KEY is empty: give the secret key of the payment provider (declared in activities/outside/payments.ts)',
  );
  expect([code, out]).toEqual([1, '']);
});

test('an HTTP API that could know no caller does not start, and names the three ways', async () => {
  const { code, out, told } = await start(httpSettings, 'workers/http.ts');
  for (const way of ['HAPAX_JWKS_URL', 'HAPAX_API_KEYS=on', 'HAPAX_TOKENS']) expect(told).toContain(way);
  expect([code, out]).toEqual([1, '']);
});

test('an HTTP API whose JWTs are half configured does not start, and names what is missing', async () => {
  const half = { HAPAX_JWKS_URL: 'https://issuer.test/jwks.json', HAPAX_TOKENS: 'long-enough=alpha:test:ann' };
  const { code, out, told } = await start({ ...httpSettings, ...half }, 'workers/http.ts');
  expect(told).toMatch(/HAPAX_JWT_ISSUER is not set: .*\n {2}HAPAX_JWT_AUDIENCE is not set: /);
  expect([code, out]).toEqual([1, '']);
});
