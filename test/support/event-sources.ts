/** Secrets of the sources below. The older Stripe secret is about to be rotated out. */
export const secrets = {
  stripe: 'whsec_of_the_stripe_account',
  older: 'whsec_of_the_year_before',
  live: 'whsec_of_the_live_account',
  standard: `whsec_${Buffer.from('a secret of Standard Webhooks').toString('base64')}`,
  hub: 'secret_of_the_hub_plain',
} as const;

/** Who sends events to a world, for HAPAX_WEBHOOKS. */
export function sourcesOf(tenant: string): string {
  return JSON.stringify({
    stripe: { scheme: 'stripe', tenant, environment: 'test', secrets: [secrets.stripe, secrets.older] },
    'stripe-live': { scheme: 'stripe', tenant, environment: 'live', secrets: [secrets.live] },
    standard: { scheme: 'standard', tenant, environment: 'test', secrets: [secrets.standard] },
    hub: {
      ...{ scheme: 'hmac', tenant, environment: 'test', secrets: [secrets.hub] },
      ...{ signature: 'X-Hub-Signature-256', prefix: 'sha256=', id: 'digest', type: 'body:action' },
    },
  });
}
