import { randomBytes } from 'node:crypto';
import { given } from '../config.ts';
import { firstOf } from '../tokens.ts';

type SandboxEvents = {
  /** For the HTTP API: who may send it events. */
  readonly environment: Readonly<Record<string, string>>;
  /** Has the sandbox send its events there. */
  readonly begin: (http: string) => Promise<void>;
};

/**
 * The payment sandbox tells the HTTP API what happens, as Stripe would, under a secret of this start. An account belongs
 * to one tenant: the one of the first token. Sources that a person has declared stay, and one called `stripe` is theirs.
 * @param sandbox undefined where payments go elsewhere
 */
export function sandboxEvents(sandbox: string | undefined, tokens: string): SandboxEvents {
  const declared = declaredSources(given('HAPAX_WEBHOOKS'));
  if (sandbox === undefined || declared === undefined || 'stripe' in declared)
    return { environment: {}, begin: async () => undefined };
  const secret = `whsec_${randomBytes(24).toString('hex')}`;
  const { tenant, environment } = firstOf(tokens);
  return {
    environment: {
      HAPAX_WEBHOOKS: JSON.stringify({
        ...declared,
        stripe: { scheme: 'stripe', tenant, environment, secrets: [secret] },
      }),
    },
    async begin(http) {
      const wish = { url: `${http}/v1/webhooks/stripe`, secret };
      const answer = await fetch(`${sandbox}/_control/webhooks`, { method: 'POST', body: JSON.stringify(wish) });
      if (!answer.ok) throw new Error(`The payment sandbox takes no endpoint for its events: ${await answer.text()}`);
    },
  };
}

/** @returns undefined where it is not JSON, or no object: the HTTP API then says what is wrong with it */
function declaredSources(text = '{}'): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? { ...json } : undefined;
  } catch {
    return undefined;
  }
}
