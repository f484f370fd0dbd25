import { hash } from 'node:crypto';
import { looksLikeSubjectToken } from '../activities/seal/subject-tokens.ts';
import { looksLikeApiKey } from '../client/http/callers/api-key.ts';
import { type Caller, callerNameRule, isCallerName, isEnvironment } from '../client/http/callers/caller.ts';
import { ConfigFault } from './config.ts';

const secret = /^[\x21-\x7e]{8,255}$/;

/**
 * Reads `token=tenant:environment:subject[:viewer|operator],…`. Tokens are kept as digests, so that a look-up compares no
 * secret.
 * @throws ConfigFault that names the entry at fault, never its secret
 */
export function readTokens(setting: string): ReadonlyMap<string, Caller> {
  const tokens = new Map<string, Caller>();
  for (const [index, entry] of setting.split(',').entries()) {
    const split = entry.lastIndexOf('=');
    const token = entry.slice(0, split).trim();
    const caller = readCaller(entry.slice(split + 1).trim());
    const valid =
      split > 0 &&
      secret.test(token) &&
      !token.includes('.') &&
      !looksLikeApiKey(token) &&
      !looksLikeSubjectToken(token);
    if (!valid || caller === undefined)
      throw new ConfigFault(
        `HAPAX_TOKENS entry ${index + 1} must be token=tenant:live|test:subject[:viewer|operator], with a token of 8 or more ` +
          `characters that has no dot and does not begin with hpx_ or hpa_, and a tenant and a subject of ${callerNameRule}`,
      );
    tokens.set(digestOf(token), caller);
  }
  return tokens;
}

function readCaller(text: string): Caller | undefined {
  const [tenant, environment, subject, role = 'caller', ...rest] = text.split(':');
  if (rest.length > 0 || !isCallerName(tenant) || !isEnvironment(environment) || !isCallerName(subject))
    return undefined;
  if (role === 'caller') return text.endsWith(':caller') ? undefined : { tenant, environment, subject, role };
  return role === 'viewer' || role === 'operator' ? { tenant, environment, subject, role } : undefined;
}

/** @returns who a bearer speaks for; `TOKEN.NAME` is a further subject of the token's tenant */
export function identify(tokens: ReadonlyMap<string, Caller>, bearer: string): Caller | undefined {
  const [token = '', subject, ...rest] = bearer.split('.');
  const caller = tokens.get(digestOf(token));
  if (caller === undefined || rest.length > 0) return undefined;
  if (subject === undefined) return caller;
  return isCallerName(subject) ? { ...caller, subject } : undefined;
}

export function tenantsOf(setting: string): readonly string[] {
  return [...new Set([...readTokens(setting).values()].map(({ tenant }) => tenant))];
}

/** Who the first token speaks for. */
export function firstOf(setting: string): Caller {
  const [caller] = readTokens(setting).values();
  if (caller === undefined) throw new ConfigFault('HAPAX_TOKENS has no entry');
  return caller;
}

function digestOf(token: string): string {
  return hash('sha256', token, 'base64');
}
