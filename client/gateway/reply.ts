import type { OpenState, SettledState } from '../../workflows/operation/state.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { Trouble } from '../../workflows/operation/trouble.ts';
import type { StoredAnswer } from '../../activities/stores/postgres/ledger/stored-answer.ts';

export type How = 'created' | 'joined' | 'replayed';
export type Decision = How | 'refused';
/**
 * `memory`: the settled answer was in memory; `process`: the same request was under way here; `redis`: another process had
 * left a copy of the settled answer; `ledger`: PostgreSQL.
 */
export type Layer = 'memory' | 'process' | 'redis' | 'ledger';

export type KeptAnswer = Extract<StoredAnswer, { kind: 'kept' }>;

export type SettledReply = {
  readonly kind: 'settled';
  readonly how: How;
  readonly answer: KeptAnswer;
  readonly state: SettledState;
  /** The same key begins a new operation, so this answer is not replayed. */
  readonly renewable?: boolean;
} & Named;

/** The result of a request, from which the HTTP API makes its answer. */
export type Reply =
  | SettledReply
  | ({
      readonly kind: 'open';
      readonly how: How;
      readonly state: OpenState;
      readonly deadline: Date | null;
      /** As it was at the end of the wait. */
      readonly trouble: Trouble | null;
    } & Named)
  /** The key belongs to another request, about which callers are told only which of their fields differ. */
  | { readonly kind: 'key-reused'; readonly id: string }
  /** The answer has expired, but its tombstone is still there. */
  | ({ readonly kind: 'key-expired' } & Named)
  /** The data of the operation were erased. Nothing is left to compare a request with. */
  | ({ readonly kind: 'erased' } & Named)
  /**
   * The key was asked for too often while its operation is open.
   * @member retryAfter whole seconds
   */
  | ({ readonly kind: 'asked-too-often'; readonly retryAfter: number } & Named)
  | NotBegun;

/** The operation would be new. Nothing was accepted, and the key is not used up. */
export type NotBegun =
  /** The call's `admit` returned false. */
  | { readonly kind: 'not-admitted' }
  /** The deployment's terms for the flow do not take this request. */
  | { readonly kind: 'not-taken'; readonly refusal: Refusal }
  /**
   * There is more work than can finish in time.
   * @member retryAfter seconds until there should be room
   */
  | { readonly kind: 'overloaded'; readonly retryAfter: number };

type Named = { readonly id: string; readonly workflowId: string; readonly originalRequest: string };
