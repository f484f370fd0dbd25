import { HashesBusy, type SlowHashes } from '../../activities/seal/slow-hashes.ts';
import { type Claimed, claim, type SettleInClaim } from '../../activities/stores/postgres/ledger/claim.ts';
import type { Database } from '../../activities/stores/postgres/database.ts';
import type { Opening } from '../../workflows/operation/call.ts';
import { firstWait } from '../../workflows/operation/flow.ts';
import { workflowId } from '../../workflows/operation/key.ts';
import { isSettled } from '../../workflows/operation/state.ts';
import { withoutHashes } from '../../workflows/operation/without-hashes.ts';
import type { Admission } from './admission.ts';
import { type Asked, sameIntent } from './asked.ts';
import { claimOf } from './claim-of.ts';
import type { ClaimTurns } from './claim-turns.ts';
import { hashedRequest, hashesAny } from './hashed-request.ts';
import type { NotBegun } from './reply.ts';
import { filledRequest, type Terms } from './terms.ts';
import type { Workflows } from './workflows.ts';

/** What the gateway needs to claim an operation. */
export type ClaimParts = {
  readonly database: Database;
  readonly workflows: Workflows;
  /** Refuses new operations while more is in hand than can finish in time. Without it, every operation begins. */
  readonly admission?: Admission;
  /** What the deployment takes; by default all that the schemas allow. */
  readonly terms?: Terms;
  /** How flows without a workflow are done, by the flow's name. */
  readonly inClaim?: Readonly<Record<string, SettleInClaim>> | undefined;
  /** Hashes the passwords of requests; needed for flows that declare some. */
  readonly hashes?: SlowHashes | undefined;
  readonly log: (message: string, error: unknown) => void;
};

export type Started = { readonly kind: 'claimed'; readonly workflowId: string } & Claimed;

/**
 * After this long without a start the claimer must have died between claim and start, so a joiner starts the workflow.
 * Milliseconds.
 */
const startGrace = 1_000;

/** Commits the claim and has its workflow started. An existing operation is found even while no new one may begin. */
export async function claimAndStart(
  parts: ClaimParts & { readonly turns: ClaimTurns },
  asked: Asked,
): Promise<Started | NotBegun> {
  const { flow, call, scope, name } = asked;
  // Defaults are filled in after the fingerprint, so that a deploy that changes one still recognises retries.
  const request = filledRequest(parts.terms, flow, call.request);
  const ruling = await parts.admission?.ask(scope.tenant, name, flow.answers === 'outcome');
  if (ruling?.kind === 'overloaded') return (await begin(parts, asked, undefined)) ?? ruling;
  let created: string | undefined;
  try {
    // A retry costs no hash.
    const known = hashesAny(flow, request) ? await begin(parts, asked, undefined) : undefined;
    if (known !== undefined) return known;
    const refusal = await parts.terms?.[flow.name]?.refusal(parts.database, call, request);
    const insert = refusal === undefined && (call.admit === undefined || (await call.admit()));
    const claimed = await begin(parts, asked, insert ? await hashedRequest(parts.hashes, flow, request) : undefined);
    // An operation that waits for its caller is not in the workers' hands.
    if (claimed?.created && firstWait(flow) === undefined) created = claimed.id;
    return claimed ?? (refusal === undefined ? { kind: 'not-admitted' } : { kind: 'not-taken', refusal });
  } catch (error) {
    if (error instanceof HashesBusy) return { kind: 'overloaded', retryAfter: error.retryAfter };
    throw error;
  } finally {
    ruling?.claimed(created);
  }
}

/**
 * @param request what a new operation is to keep; undefined only looks
 * @returns undefined when the operation would be new and must not begin
 */
async function begin(
  { database, workflows, turns, log }: ClaimParts & { readonly turns: ClaimTurns },
  asked: Asked,
  request: Record<string, unknown> | undefined,
): Promise<Started | undefined> {
  const { scope } = asked;
  const insert = request !== undefined;
  let stored: Opening['request'] = {};
  const claiming = (generation: number) => {
    const asking = claimOf(asked, request ?? {}, generation, insert);
    stored = asking.request;
    return turns.take(() => claim(database, asking));
  };
  let claimed = await claiming(1);
  while (claimed?.created === false && claimed.renewable && sameIntent(asked, claimed)) {
    if (!insert) return undefined;
    // If upkeep has dropped that generation in the meantime, the name starts again at generation 1.
    claimed = (await claiming(claimed.generation + 1)) ?? (await claiming(1));
  }
  if (claimed === undefined) return undefined;
  const orphaned = !claimed.started && !isSettled(claimed.state) && claimed.ageMs > startGrace;
  if (claimed.created || orphaned) {
    const { tenant, environment, flow: name } = scope;
    const operation = { id: claimed.id, tenant, environment, flow: name, scope, generation: claimed.generation };
    // A failed start does not concern the caller: the claim is committed, and upkeep starts the workflow within
    // seconds.
    const { created, requestId, ageMs: age } = claimed;
    workflows
      // Temporal keeps the request too, so it gets it as it was stored, and no hashes.
      .start(operation, created ? { request: withoutHashes(asked.flow, stored), requestId, age } : undefined)
      .catch((error: unknown) => log(`The workflow of ${claimed.id} was not started`, error));
  }
  return { kind: 'claimed', ...claimed, workflowId: workflowId(scope, claimed.generation) };
}
