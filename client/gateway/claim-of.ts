import { randomUUID } from 'node:crypto';
import type { Claim } from '../../activities/stores/postgres/ledger/claim.ts';
import { firstWait } from '../../workflows/operation/flow.ts';
import { operationId } from '../../workflows/operation/key.ts';
import type { Asked } from './asked.ts';
import { sealedRequest } from './sealed-request.ts';

/**
 * The sensitive fields of the request are sealed here, for this very operation.
 * @param insert false only looks
 */
export function claimOf(
  { flow, call, scope, digest, digestVersion, seals }: Asked,
  request: Record<string, unknown>,
  generation: number,
  insert: boolean,
): Claim {
  const wait = firstWait(flow);
  const id = operationId(scope, generation);
  return {
    insert,
    id,
    scope,
    subject: call.subject,
    generation,
    flowVersion: flow.version,
    fingerprint: digest,
    fingerprintVersion: digestVersion,
    request: sealedRequest(seals, flow, { tenant: scope.tenant, id }, request),
    requestId: call.requestId ?? randomUUID(),
    state: wait === undefined ? 'claimed' : 'waiting',
    deadline: wait?.patience ?? null,
  };
}
