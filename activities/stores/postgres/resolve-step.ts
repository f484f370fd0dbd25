import type { Ending } from '../../../workflows/operation/call.ts';
import type { Database } from './database.ts';

/** What a person has found out about a step in doubt. */
export type Resolution = {
  readonly step: string;
  /** The step had no effect. That it has happened is for the step's own code to find out, never for a person to say. */
  readonly outcome: 'no-effect';
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
  /** Nothing could take the step's effect back, and its request may still be on its way. */
  | 'may-still-happen'
  /** Something else has happened that nothing takes back. */
  | 'forward-only'
  | 'compensating'
  | 'already-settled'
  | 'missing';

/** A function of the ledger (0016_trouble.sql): it decides under the operation's lock, in one statement. */
const text = 'select resolve_step($1, $2, $3, $4) as decision';

export async function resolveStep(
  database: Database,
  tenant: string,
  id: string,
  { step, outcome, evidence, reason, by }: Resolution,
): Promise<ResolveDecision> {
  // How the operation ends once all is undone.
  const stopped: Ending = {
    state: 'refused',
    refusal: {
      code: 'stopped-by-operator',
      detail: `An operator has found that ${step} had no effect, and has stopped the operation.`,
    },
  };
  const values = [id, step, { outcome, evidence, reason, by }, stopped];
  const [rows] = await database.flush(tenant, { name: 'resolve_step', text, values });
  return rows?.[0]?.decision as ResolveDecision;
}
