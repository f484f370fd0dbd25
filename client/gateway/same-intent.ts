import type { Claimed } from '../../activities/stores/postgres/claim.ts';
import { fingerprint, fingerprintVersion } from '../../workflows/operation/fingerprint.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import type { Call } from './call.ts';

/** Compared with the version that the row was written with: a deploy that hashes differently still knows its retries. */
export function sameIntent(flow: AnyFlow, call: Call, claimed: Claimed, digest: string): boolean {
  if (claimed.fingerprintVersion === fingerprintVersion) return claimed.fingerprint === digest;
  const { request } = call;
  return fingerprint(flow.name, flow.intent, request, claimed.fingerprintVersion) === claimed.fingerprint;
}
