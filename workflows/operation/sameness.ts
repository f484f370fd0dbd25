import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import canonicalize from 'canonicalize';

/** @returns a digest of the named fields, equal for two pieces of evidence that say the same */
export function samenessOf(evidence: Readonly<Record<string, unknown>>, fields: readonly string[]): string {
  const said = canonicalize(fields.map((field) => evidence[field] ?? null)) ?? '';
  return bytesToHex(sha256(utf8ToBytes(said)));
}
