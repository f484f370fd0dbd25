import { afterEach, expect, it, vi } from 'vitest';
import { sandboxEvents } from '../../workers/local/sandbox-events.ts';

const sandbox = 'http://127.0.0.1:12111';
const tokens = 'local-alpha=alpha:test:default';
const hub = {
  scheme: 'standard',
  tenant: 'alpha',
  environment: 'test',
  secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
};

afterEach(() => vi.unstubAllEnvs());

function sources(declared?: string): Record<string, unknown> | undefined {
  if (declared !== undefined) vi.stubEnv('HAPAX_WEBHOOKS', declared);
  const { HAPAX_WEBHOOKS } = sandboxEvents(sandbox, tokens).environment;
  return HAPAX_WEBHOOKS === undefined ? undefined : (JSON.parse(HAPAX_WEBHOOKS) as Record<string, unknown>);
}

it("makes the payment sandbox a source of the first token's tenant", () => {
  expect(sources()).toMatchObject({ stripe: { scheme: 'stripe', tenant: 'alpha', environment: 'test' } });
});

it('leaves the sources that a person has declared beside it', () => {
  expect(sources(JSON.stringify({ hub }))).toMatchObject({ hub, stripe: { scheme: 'stripe' } });
});

it.each([JSON.stringify({ stripe: hub }), 'no JSON', '[]', 'null'])(
  'leaves alone what is declared as %s',
  (declared) => {
    expect(sources(declared)).toBeUndefined();
  },
);
