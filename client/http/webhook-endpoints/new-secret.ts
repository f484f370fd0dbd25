import { randomBytes } from 'node:crypto';

/** Standard Webhooks: 24 to 64 random bytes. SHA-256 gains nothing by more than 32. */
const secretBytes = 32;

/** A secret as Standard Webhooks writes it, so that its libraries and secret scanners know it. */
export function newSecret(): string {
  return `whsec_${randomBytes(secretBytes).toString('base64')}`;
}
