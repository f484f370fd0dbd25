import type { JWTPayload } from 'jose';
import { roles } from '../../../workflows/operation/role.ts';
import { type Caller, isCallerName, isEnvironment } from './caller.ts';

const fields = ['tenant', 'environment', 'subject', 'role'] as const;
type Field = (typeof fields)[number];

/** Where a field of the caller comes from: a claim, or a value that is the same for every token. */
type Source = { readonly claim: readonly string[] } | { readonly value: string };
export type ClaimMapping = Readonly<Record<Field, Source>>;

const unlessMapped: ClaimMapping = {
  tenant: { claim: ['tenant'] },
  environment: { claim: ['environment'] },
  subject: { claim: ['sub'] },
  role: { claim: ['role'] },
};

export const claimsForm =
  'entries separated by commas, each FIELD=CLAIM or FIELD:VALUE, where FIELD is tenant, environment, subject or role, and ' +
  'CLAIM is the name of a claim or a JSON pointer to it (/app_metadata/org)';

/**
 * Reads `tenant=org_id,environment:live,subject=sub,role=/app_metadata/role`. `=` names a claim, either by its plain
 * name, because names such as `https://example.com/org` contain dots and slashes, or by a JSON pointer (RFC 6901),
 * which begins with a slash. `:` sets one value for every token. Fields that are not mapped come from `tenant`,
 * `environment`, `sub` and `role`.
 * @returns the mapping, or undefined when the setting has another form
 */
export function readClaimMapping(setting: string): ClaimMapping | undefined {
  const mapping: Partial<Record<Field, Source>> = {};
  for (const entry of setting.split(',').filter((part) => part.trim() !== '')) {
    const [, field, sign, from = ''] = /^(\w+)([=:])(.+)$/.exec(entry.trim()) ?? [];
    if (!isField(field) || mapping[field] !== undefined) return undefined;
    const source = sign === ':' ? { value: from } : { claim: claimPath(from) };
    if ('value' in source && !isSound(field, source.value)) return undefined;
    mapping[field] = source;
  }
  return { ...unlessMapped, ...mapping };
}

/** @returns the caller, or the field that the claims do not give in a usable form */
export function callerOf(mapping: ClaimMapping, claims: JWTPayload): Caller | Field {
  const found: Partial<Record<Field, unknown>> = {};
  for (const field of fields) {
    const source = mapping[field];
    const value = 'value' in source ? source.value : claimAt(claims, source.claim);
    // A token without a role belongs to an ordinary caller, as with static tokens.
    found[field] = field === 'role' && value === undefined ? 'caller' : value;
    if (!isSound(field, found[field])) return field;
  }
  return found as Caller;
}

function isField(text: string | undefined): text is Field {
  return (fields as readonly (string | undefined)[]).includes(text);
}

function isSound(field: Field, value: unknown): boolean {
  switch (field) {
    case 'tenant':
    case 'subject':
      return isCallerName(value);
    case 'environment':
      return isEnvironment(value);
    case 'role':
      return (roles as readonly unknown[]).includes(value);
  }
}

function claimPath(from: string): string[] {
  if (!from.startsWith('/')) return [from];
  const parts = from.slice(1).split('/');
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function claimAt(claims: JWTPayload, path: readonly string[]): unknown {
  let at: unknown = claims;
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string, unknown>)[part];
  }
  return at;
}
