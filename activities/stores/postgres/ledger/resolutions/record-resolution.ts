import type { Database } from '../../database.ts';

/** What a person has found out about a step in trouble. */
export type Resolution = {
  readonly step: string;
  /** Where it can be seen, such as the provider's id of a payment. */
  readonly evidence: string;
  readonly reason: string;
  /** Who says so. */
  readonly by: string;
} & (
  | { readonly outcome: 'no-effect' }
  /** The step has happened and has given this; its own code checks it. */
  | { readonly outcome: 'done'; readonly result: Readonly<Record<string, unknown>> }
);

/** What the step's declaration says, as far as it matters here. */
type Resolvable = {
  /** Its effect is rows of ours. */
  readonly ours: boolean;
  readonly optional: boolean;
  /** Milliseconds. */
  readonly longestTry: number;
};

export type ResolveDecision =
  | 'resolved'
  /** A person has said something else of this step, and that is still to be decided or has held. */
  | 'resolved-otherwise'
  | 'not-in-doubt'
  /** Something else has happened that nothing takes back. */
  | 'forward-only'
  | 'compensating'
  | 'already-settled'
  | 'missing';

const text = `select record_resolution($1, $2, $3, $4, $5, $6 * interval '1 millisecond') as decision`;

/** Takes a person's word for a step in trouble. The ledger decides under the operation's lock whether it may be given. */
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
