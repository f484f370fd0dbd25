import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import canonicalize from 'canonicalize';

/** @returns a digest that is equal for two pieces of evidence that say the same: the named fields, in one form */
export function samenessOf(evidence: Readonly<Record<string, unknown>>, fields: readonly string[]): string {
  const said = canonicalize(fields.map((field) => evidence[field] ?? null)) ?? '';
  return bytesToHex(sha256(utf8ToBytes(said)));
}
