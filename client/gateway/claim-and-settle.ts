import { claim } from '../../activities/stores/postgres/ledger/claim.ts';
import { workflowId } from '../../workflows/operation/key.ts';
import type { Asked } from './asked.ts';
import type { ClaimParts, Started } from './claim-and-start.ts';
import { claimOf } from './claim-of.ts';
import type { NotBegun } from './reply.ts';
import { filledRequest } from './terms.ts';

/**
 * For a flow without a workflow, which waits for no worker: its rows are written with its claim, or were before.
 * @throws TypeError where the process was not given what the flow does
 */
export async function claimAndSettle(
  { database, inClaim, terms }: ClaimParts,
  asked: Asked,
): Promise<Started | NotBegun> {
  const { flow, call, scope } = asked;
  const settle = inClaim?.[flow.name];
  if (settle === undefined)
    throw new TypeError(`Flow ${flow.name} has no workflow: give the gateway what it does in its claim (\`inClaim\`).`);
  const request = filledRequest(terms, flow, call.request);
  for (let created = false; ; ) {
    const found = await claim(database, claimOf(asked, request, 1, false));
    if (found !== undefined) return { kind: 'claimed', ...found, created, workflowId: workflowId(scope, 1) };
    if (call.admit !== undefined && !(await call.admit())) return { kind: 'not-admitted' };
    const became = await settle(claimOf(asked, request, 1, true));
    if (became.kind === 'not-now') return { kind: 'not-taken', refusal: became.refusal };
    created = became.kind === 'settled';
  }
}
