import type { Database } from '../../activities/stores/postgres/database.ts';
import { claim } from '../../activities/stores/postgres/ledger/claim.ts';
import type { OperationRef } from '../../workflows/operation/call.ts';
import { operationId, type Scope } from '../../workflows/operation/key.ts';

/** An operation that is claimed, and that no story tells: a test makes its moves. */
export async function claimedOperation(database: Database, scope: Scope): Promise<OperationRef> {
  const id = operationId(scope, 1);
  const made = { subject: 'default', generation: 1, flowVersion: 1, fingerprint: 'f', fingerprintVersion: 1 };
  const asked = { requestId: 'a test', state: 'claimed', deadline: null, insert: true } as const;
  await claim(database, { ...made, ...asked, id, scope, request: {} });
  return { id, tenant: scope.tenant, environment: scope.environment, flow: scope.flow };
}
