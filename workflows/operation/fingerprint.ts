import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import canonicalize from 'canonicalize';

/** Grows when the way of hashing changes; a stored fingerprint is compared with the version it was written with. */
export const fingerprintVersion = 1;

/** A newer build has written the row: this one cannot tell a retry from a misuse of the key, and does not guess. */
export class FingerprintUnknown extends RangeError {
  override readonly name = 'FingerprintUnknown';
}

type Hash = (flow: string, intent: Readonly<Record<string, unknown>>) => string;

const versions: Readonly<Record<number, Hash>> = {
  1: (flow, intent) => {
    const form = canonicalize({ flow, intent });
    if (form === undefined) throw new TypeError(`The intent of flow ${flow} has no canonical form`);
    return bytesToHex(sha256(utf8ToBytes(form)));
  },
};

/**
 * Tells a retry from a misuse of the key: SHA-256 over the RFC 8785 form of the declared intent, so that field order,
 * white space, encoding and transport do not count.
 * @throws FingerprintUnknown for a version that this build does not know
 * @throws TypeError when the selector yields nothing: an empty intent would make all requests look alike
 */
export function fingerprint(
  flow: string,
  fields: readonly string[],
  request: Readonly<Record<string, unknown>>,
  version = fingerprintVersion,
): string {
  const hash = versions[version];
  if (hash === undefined) throw new FingerprintUnknown(`Fingerprint version ${version} is unknown to this build`);
  const intent: Record<string, unknown> = {};
  for (const field of fields) if (request[field] !== undefined) intent[field] = request[field];
  if (Object.keys(intent).length === 0) throw new TypeError(`The declared intent of flow ${flow} selects nothing`);
  return hash(flow, intent);
}
