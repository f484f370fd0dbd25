import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
/**
 * NIST SP 800-38D, 8.2: 96 bits are the length that GCM is made for. Random ones may be used for 2^32 messages under one
 * key, so rotate keys long before four billion sealed values.
 */
const nonceLength = 12;
const tagLength = 16;

/**
 * Encrypts and authenticates.
 * @param about authenticated and not stored: whoever opens has to give the same
 * @returns nonce, tag and ciphertext
 */
export function encrypt(key: KeyObject, plain: Uint8Array, about: Uint8Array): Buffer {
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagLength });
  cipher.setAAD(about);
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
}

/** @throws when the bytes, the key or `about` are not those of the encryption */
export function decrypt(key: KeyObject, sealed: Uint8Array, about: Uint8Array): Buffer {
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceLength), { authTagLength: tagLength });
  decipher.setAAD(about);
  decipher.setAuthTag(sealed.subarray(nonceLength, nonceLength + tagLength));
  return Buffer.concat([decipher.update(sealed.subarray(nonceLength + tagLength)), decipher.final()]);
}
