import { randomUUID } from 'node:crypto';
import type { Claim } from '../../activities/stores/postgres/ledger/claim.ts';
import { fingerprintVersion } from '../../workflows/operation/fingerprint.ts';
import { firstWait } from '../../workflows/operation/flow.ts';
import { operationId } from '../../workflows/operation/key.ts';
import type { Asked } from './asked.ts';

/** @param insert false only looks */
export function claimOf(
  { flow, call, scope, digest }: Asked,
  request: Record<string, unknown>,
  generation: number,
  insert: boolean,
): Claim {
  const wait = firstWait(flow);
  return {
    insert,
    id: operationId(scope, generation),
    scope,
    subject: call.subject,
    generation,
    flowVersion: flow.version,
    fingerprint: digest,
    fingerprintVersion,
    request,
    requestId: call.requestId ?? randomUUID(),
    state: wait === undefined ? 'claimed' : 'waiting',
    deadline: wait?.patience ?? null,
  };
}
