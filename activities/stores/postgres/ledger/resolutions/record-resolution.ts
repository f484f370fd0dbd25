import type { Database } from '../../database.ts';

/** What a person has found out about a step in trouble. */
export type Resolution = {
  readonly step: string;
  /** Where it can be verified, such as the provider's id of a payment. */
  readonly evidence: string;
  readonly reason: string;
  /** The person who says so. */
  readonly by: string;
} & (
  | { readonly outcome: 'no-effect' }
  /** The step has happened with this result. Its own code checks that. */
  | { readonly outcome: 'done'; readonly result: Readonly<Record<string, unknown>> }
);

/** The part of the step's declaration that matters here. */
type Resolvable = {
  /** Its effect is rows of ours. */
  readonly ours: boolean;
  readonly optional: boolean;
  /** Milliseconds. */
  readonly longestTry: number;
};

export type ResolveDecision =
  | 'resolved'
  /** A person has already said something else of this step, and that is undecided or was confirmed. */
  | 'resolved-otherwise'
  | 'not-in-doubt'
  /** Another step has happened that cannot be taken back. */
  | 'forward-only'
  | 'compensating'
  | 'already-settled'
  | 'missing';

const text = `select record_resolution($1, $2, $3, $4, $5, $6 * interval '1 millisecond') as decision`;

/**
 * Records what a person says of a step in trouble. The ledger decides under the operation's lock whether that is
 * allowed.
 */
export async function recordResolution(
  database: Database,
  tenant: string,
  id: string,
  { step, ...said }: Resolution,
  { ours, optional, longestTry }: Resolvable,
): Promise<ResolveDecision> {
  const values = [id, step, said, ours, optional, longestTry];
  const [rows] = await database.flush(tenant, { name: 'record_resolution', text, values });
  return rows?.[0]?.decision as ResolveDecision;
}
