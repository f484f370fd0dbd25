import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Environment } from '../../../workflows/operation/key.ts';

/**
 * `hpx_{environment}_{prefix}_{secret}{checksum}`, in hexadecimal: 12 digits that find the row and may be shown, 64
 * digits of secret, and 8 of a CRC-32. Secret scanners match the fixed start. The checksum rejects made-up keys without
 * a look at the ledger.
 */
const form = /^(hpx_(?:live|test)_([0-9a-f]{12})_[0-9a-f]{64})([0-9a-f]{8})$/;

/** Bytes. With 256 random bits there is nothing to guess, so SHA-256 is enough to store the key. */
export const randomness = { prefix: 6, secret: 32 } as const;

/** @param random 6 and 32 bytes from a cryptographic source */
export function writeApiKey(environment: Environment, random: { prefix: Buffer; secret: Buffer }): string {
  const body = `${apiKeyName(environment, random.prefix.toString('hex'))}_${random.secret.toString('hex')}`;
  return body + checksum(body);
}

/** The part of a key that may be shown: it names the key and proves nothing. */
export function apiKeyName(environment: Environment, prefix: string): string {
  return `hpx_${environment}_${prefix}`;
}

/** Whether a text looks like an API key. Static tokens of a local stack must not. */
export function looksLikeApiKey(text: string): boolean {
  return text.startsWith('hpx_');
}

/** @returns the prefix of a well-formed key */
export function apiKeyPrefix(text: string): string | undefined {
  const [, body, prefix, sum] = form.exec(text) ?? [];
  return body !== undefined && checksum(body) === sum ? prefix : undefined;
}

/** @returns the prefix that an operator gave: bare, as a name (`hpx_live_…`), or inside a whole key */
export function namedPrefix(text: string): string | undefined {
  return /^(?:hpx_(?:live|test)_)?([0-9a-f]{12})(?:_[0-9a-f]{72})?$/.exec(text)?.[1];
}

/** Hashes the whole key, so that its environment and prefix are covered too. */
export function hashApiKey(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}
