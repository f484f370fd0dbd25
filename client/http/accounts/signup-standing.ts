import type { Database } from '../../../activities/stores/postgres/database.ts';
import { findSignupLink } from '../../../activities/stores/postgres/accounts/find-signup-link.ts';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import type { Gateway } from '../../gateway.ts';

/** Where a sign-up stands, as its link sees it. */
export type SignupStanding =
  | { readonly kind: 'waits'; readonly record: OperationRecord }
  /** The link has expired, and its sign-up still waits: a new mail helps. */
  | { readonly kind: 'stale'; readonly record: OperationRecord }
  | { readonly kind: 'confirmed'; readonly record: OperationRecord }
  /** It has expired or was cancelled: the address is free. */
  | { readonly kind: 'over' }
  | { readonly kind: 'unknown' };

/** 256 bits in base64url. */
const form = /^[A-Za-z0-9_-]{43}$/;

/** Only looks. */
export async function signupStanding(
  { database, gateway }: { readonly database: Database; readonly gateway: Gateway },
  token: string,
): Promise<SignupStanding> {
  const link = form.test(token) ? await findSignupLink(database, token) : undefined;
  const record = link && (await gateway.status(link.tenant, link.operation));
  if (link === undefined || record === undefined) return { kind: 'unknown' };
  if (record.state === 'succeeded') return { kind: 'confirmed', record };
  if (record.settledAt !== null || record.state === 'compensating') return { kind: 'over' };
  return { kind: link.expired ? 'stale' : 'waits', record };
}
