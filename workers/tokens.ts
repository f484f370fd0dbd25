import { createHash } from 'node:crypto';
import type { Environment } from '../workflows/operation/key.ts';
import { ConfigFault } from './config.ts';

/** Who a token speaks for. */
export type Identity = { readonly tenant: string; readonly environment: Environment; readonly subject: string };

/** A name is a part of keys, ids and workflow ids. */
const name = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;
const secret = /^[\x21-\x7e]{8,255}$/;

/**
 * Reads `token=tenant:environment:subject,…`. Tokens are kept as digests, so that a look-up compares no secret.
 * @throws ConfigFault that names the entry at fault, never its secret
 */
export function readTokens(setting: string): ReadonlyMap<string, Identity> {
  const tokens = new Map<string, Identity>();
  for (const [index, entry] of setting.split(',').entries()) {
    const split = entry.lastIndexOf('=');
    const token = entry.slice(0, split).trim();
    const [tenant = '', environment = '', subject = '', ...rest] = entry
      .slice(split + 1)
      .trim()
      .split(':');
    const sound =
      split > 0 &&
      rest.length === 0 &&
      secret.test(token) &&
      !token.includes('.') &&
      name.test(tenant) &&
      name.test(subject);
    if (!sound || (environment !== 'live' && environment !== 'test'))
      throw new ConfigFault(
        `HAPAX_TOKENS entry ${index + 1} must be token=tenant:live|test:subject, with a token of 8 or more characters without a dot, ` +
          'and a tenant and a subject of at most 63 letters, digits, - and _ that begin with a letter or a digit',
      );
    tokens.set(digestOf(token), { tenant, environment, subject });
  }
  return tokens;
}

/** @returns who a bearer speaks for; `TOKEN.NAME` is a further subject of the token's tenant */
export function identify(tokens: ReadonlyMap<string, Identity>, bearer: string): Identity | undefined {
  const [token = '', subject, ...rest] = bearer.split('.');
  const identity = tokens.get(digestOf(token));
  if (identity === undefined || rest.length > 0) return undefined;
  if (subject === undefined) return identity;
  return name.test(subject) ? { ...identity, subject } : undefined;
}

export function tenantsOf(setting: string): readonly string[] {
  return [...new Set([...readTokens(setting).values()].map(({ tenant }) => tenant))];
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
