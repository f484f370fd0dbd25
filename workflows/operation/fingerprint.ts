import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import canonicalize from 'canonicalize';

/** Grows when the way of hashing changes; a stored fingerprint is compared with the version it was written with. */
export const fingerprintVersion = 1;
/** Of a request that holds sensitive values: a bare hash of an e-mail address can be guessed, an HMAC cannot. */
export const sealedFingerprintVersion = 2;
/** Stands in the row of an erased operation, which keeps no fingerprint: nothing can be compared with it. */
export const erasedFingerprintVersion = 0;

/** A newer build has written the row: this one cannot tell a retry from a misuse of the key, and does not guess. */
export class FingerprintUnknown extends RangeError {
  override readonly name = 'FingerprintUnknown';
}

/** An HMAC under a secret key of the deployment. */
type Mac = (text: string) => string;
type Hash = (form: string, mac: Mac) => string;

const versions: Readonly<Record<number, Hash>> = {
  1: (form) => bytesToHex(sha256(utf8ToBytes(form))),
  2: (form, mac) => mac(form),
};

const noMac: Mac = () => {
  throw new TypeError('A fingerprint of sealed fields needs the seal keys');
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
  mac = noMac,
): string {
  const hash = versions[version];
  if (hash === undefined) throw new FingerprintUnknown(`Fingerprint version ${version} is unknown to this build`);
  const intent: Record<string, unknown> = {};
  for (const field of fields) if (request[field] !== undefined) intent[field] = request[field];
  if (Object.keys(intent).length === 0) throw new TypeError(`The declared intent of flow ${flow} selects nothing`);
  const form = canonicalize({ flow, intent });
  if (form === undefined) throw new TypeError(`The intent of flow ${flow} has no canonical form`);
  return hash(form, mac);
}
