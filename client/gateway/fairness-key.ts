import { createHash } from 'node:crypto';

/** Temporal's limit for fairness keys. Bytes. */
const longest = 64;

/**
 * The key by which Temporal shares workers among tenants where tasks queue up: the tenant itself, or its digest where a
 * backend service uses a longer name than the HTTP API takes.
 */
export function fairnessKey(tenant: string): string {
  return Buffer.byteLength(tenant) <= longest ? tenant : createHash('sha256').update(tenant).digest('hex');
}
