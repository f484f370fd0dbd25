import { randomUUID } from 'node:crypto';
import { type Claimed, claim } from '../../activities/stores/postgres/ledger/claim.ts';
import type { Database } from '../../activities/stores/postgres/database.ts';
import { firstWait } from '../../workflows/operation/flow.ts';
import { fingerprint, fingerprintVersion } from '../../workflows/operation/fingerprint.ts';
import { operationId, workflowId } from '../../workflows/operation/key.ts';
import { isSettled } from '../../workflows/operation/state.ts';
import type { Admission } from './admission.ts';
import type { Asked } from './asked.ts';
import type { ClaimTurns } from './claim-turns.ts';
import type { NotBegun } from './reply.ts';
import type { Workflows } from './workflows.ts';

/** What a gateway claims with. */
export type ClaimParts = {
  readonly database: Database;
  readonly workflows: Workflows;
  /** Refuses new operations while there is more in hand than ends in time; without it all are begun. */
  readonly admission?: Admission;
  readonly log: (message: string, error: unknown) => void;
};

export type Started = { readonly kind: 'claimed'; readonly workflowId: string } & Claimed;

/** A joiner starts a workflow that the claimer has not: by then the claimer has died between claim and start. */
const startGrace = 1_000;

/**
 * Commits the claim and has its workflow started. Where nothing new may begin now, what is claimed already is found all
 * the same.
 */
export async function claimAndStart(
  parts: ClaimParts & { readonly turns: ClaimTurns },
  asked: Asked,
): Promise<Started | NotBegun> {
  const { flow, call, scope, name } = asked;
  const ruling = await parts.admission?.ask(scope.tenant, name);
  if (ruling?.kind === 'overloaded') return (await begin(parts, asked, false)) ?? ruling;
  let created: string | undefined;
  try {
    const insert = call.admit === undefined || (await call.admit());
    const claimed = await begin(parts, asked, insert);
    // What waits for its caller is not in the workers' hands.
    if (claimed?.created && firstWait(flow) === undefined) created = claimed.id;
    return claimed ?? { kind: 'not-admitted' };
  } finally {
    ruling?.claimed(created);
  }
}

/** @returns undefined where the operation is new, and was not to be begun */
async function begin(
  { database, workflows, turns, log }: ClaimParts & { readonly turns: ClaimTurns },
  asked: Asked,
  insert: boolean,
): Promise<Started | undefined> {
  const { flow, call, scope, digest } = asked;
  // Defaults enter here and not before: a deploy that changes one still knows its retries.
  const request = flow.request.parse(call.request) as Record<string, unknown>;
  const wait = firstWait(flow);
  const row = (generation: number) => ({
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
    state: wait === undefined ? ('claimed' as const) : ('waiting' as const),
    deadline: wait?.patience ?? null,
  });
  const claiming = (generation: number) => turns.take(() => claim(database, row(generation)));
  let claimed = await claiming(1);
  while (claimed?.created === false && claimed.renewable && sameIntent(asked, claimed)) {
    if (!insert) return undefined;
    // Where upkeep has dropped that generation meanwhile, the name begins anew.
    claimed = (await claiming(claimed.generation + 1)) ?? (await claiming(1));
  }
  if (claimed === undefined) return undefined;
  const orphaned = !claimed.started && !isSettled(claimed.state) && claimed.ageMs > startGrace;
  if (claimed.created || orphaned) {
    const { tenant, environment, flow: name } = scope;
    const operation = { id: claimed.id, tenant, environment, flow: name, scope, generation: claimed.generation };
    // A failure is not the caller's: the claim is committed, and upkeep starts it within seconds.
    workflows
      .start(operation, claimed.created ? { request, requestId: claimed.requestId, age: claimed.ageMs } : undefined)
      .catch((error: unknown) => log(`The workflow of ${claimed.id} was not started`, error));
  }
  return { kind: 'claimed', ...claimed, workflowId: workflowId(scope, claimed.generation) };
}

/** Compared with the version that the row was written with: a deploy that hashes differently still knows its retries. */
export function sameIntent({ flow, call, digest }: Asked, claimed: Claimed): boolean {
  if (claimed.fingerprintVersion === fingerprintVersion) return claimed.fingerprint === digest;
  return fingerprint(flow.name, flow.intent, call.request, claimed.fingerprintVersion) === claimed.fingerprint;
}
