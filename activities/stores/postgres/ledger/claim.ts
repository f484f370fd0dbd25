import type { Environment, Scope } from '../../../../workflows/operation/key.ts';
import type { FirstState, OperationState } from '../../../../workflows/operation/state.ts';
import type { Refusal } from '../../../../workflows/operation/outcome.ts';
import type { Database, Row, Statement } from '../database.ts';
import { answerColumns, type StoredAnswer, storedAnswer } from './stored-answer.ts';

export type Claim = {
  readonly id: string;
  readonly scope: Scope;
  /** The caller. `scope.subject` is empty if the flow shares its keys over the tenant. */
  readonly subject: string;
  readonly generation: number;
  readonly flowVersion: number;
  readonly fingerprint: string;
  readonly fingerprintVersion: number;
  readonly request: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  readonly state: FirstState;
  /** Milliseconds until a first step that waits gives up; null if the flow does not begin with a wait. */
  readonly deadline: number | null;
  /** false only looks, because the caller may not begin anything new now. */
  readonly insert: boolean;
};

export type Claimed = {
  readonly created: boolean;
  readonly id: string;
  readonly environment: Environment;
  readonly generation: number;
  readonly fingerprint: string;
  readonly fingerprintVersion: number;
  readonly state: OperationState;
  readonly requestId: string;
  readonly started: boolean;
  readonly renewable: boolean;
  readonly deadline: Date | null;
  readonly ageMs: number;
  readonly answer: StoredAnswer;
};

/**
 * A function of the ledger (0011_claim_in_one_message.sql), which decides who comes first, in a transaction of its
 * own.
 */
const text = `
select created, id, environment, generation, fingerprint, fingerprint_version, state, request_id, run_id, renewable, deadline,
  extract(epoch from now() - created_at) * 1000 as age_ms, ${answerColumns}
from claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`;

/** The claim as a statement, for a transaction that does more. */
export function claimStatement(asked: Claim): Statement {
  const { scope } = asked;
  return {
    name: 'claim',
    text,
    values: [
      asked.insert,
      asked.id,
      scope.tenant,
      scope.environment,
      asked.subject,
      scope.subject,
      scope.flow,
      asked.flowVersion,
      scope.key,
      asked.generation,
      asked.fingerprint,
      asked.fingerprintVersion,
      asked.request,
      asked.requestId,
      asked.state,
      asked.deadline,
    ],
  };
}

/**
 * Takes the operation's name, or returns the row that has it. It is committed when this returns.
 * @returns undefined if the name is free and nothing was to be inserted, or if the generation before has been dropped
 * @throws LedgerFault `unavailable`
 */
export async function claim(database: Database, asked: Claim): Promise<Claimed | undefined> {
  const [row] = await database.alone(claimStatement(asked));
  return row === undefined ? undefined : claimedBy(row);
}

/** What came of an operation whose effect goes with its claim. */
export type InClaim =
  | { readonly kind: 'settled' }
  /** Another request has the name. */
  | { readonly kind: 'taken' }
  /** It cannot be done at this moment. Nothing was kept, and the same key may try again. */
  | { readonly kind: 'not-now'; readonly refusal: Refusal };

/** Claims an operation, does its one step and settles it, in one transaction. */
export type SettleInClaim = (asked: Claim) => Promise<InClaim>;

function claimedBy(row: Row): Claimed {
  return {
    created: row.created as boolean,
    id: row.id as string,
    environment: row.environment as Environment,
    generation: row.generation as number,
    fingerprint: row.fingerprint as string,
    fingerprintVersion: row.fingerprint_version as number,
    state: row.state as OperationState,
    requestId: row.request_id as string,
    started: row.run_id !== null,
    renewable: row.renewable as boolean,
    deadline: row.deadline as Date | null,
    ageMs: Number(row.age_ms),
    answer: storedAnswer(row),
  };
}
