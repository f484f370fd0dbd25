import canonicalize from 'canonicalize';

/** @returns a text that is equal for two pieces of evidence that say the same: the named fields, in one form */
export function samenessOf(evidence: Readonly<Record<string, unknown>>, fields: readonly string[]): string {
  return canonicalize(fields.map((field) => evidence[field] ?? null)) ?? '';
}
