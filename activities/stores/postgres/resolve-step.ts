import type { Ending } from '../../../workflows/operation/call.ts';
import type { Database } from './database.ts';

/** What a person has found out about a step in doubt. */
export type Resolution = {
  readonly step: string;
  /** `done` with what the step gives to the story, or `no-effect`. */
  readonly outcome: 'done' | 'no-effect';
  readonly result: Readonly<Record<string, unknown>> | null;
  /** Where it can be seen, such as the provider's id of a payment. */
  readonly evidence: string;
  readonly reason: string;
  /** Who says so. */
  readonly by: string;
};

export type ResolveDecision =
  | 'resolved'
  /** A person has said something else of this step before. */
  | 'resolved-otherwise'
  | 'not-in-doubt'
  | 'compensating'
  | 'already-settled'
  | 'missing';

/** A function of the ledger (0016_trouble.sql): it decides under the operation's lock, in one statement. */
const text = 'select resolve_step($1, $2, $3, $4, $5, $6) as decision';

export async function resolveStep(
  database: Database,
  tenant: string,
  id: string,
  { step, outcome, result, evidence, reason, by }: Resolution,
): Promise<ResolveDecision> {
  // How the operation ends where the step had no effect and all can be undone.
  const stopped: Ending = {
    state: 'refused',
    refusal: {
      code: 'stopped-by-operator',
      detail: `An operator has found that ${step} had no effect, and has stopped the operation.`,
    },
  };
  const values = [id, step, outcome, result, { outcome, result, evidence, reason, by }, stopped];
  const [rows] = await database.flush(tenant, { name: 'resolve_step', text, values });
  return rows?.[0]?.decision as ResolveDecision;
}
