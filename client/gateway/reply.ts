import type { OpenState, SettledState } from '../../workflows/operation/state.ts';
import type { Trouble } from '../../workflows/operation/trouble.ts';
import type { StoredAnswer } from '../../activities/stores/postgres/ledger/stored-answer.ts';

export type How = 'created' | 'joined' | 'replayed';
export type Decision = How | 'refused';
/** `memory`: the settled answer was kept; `process`: the same request was under way here; `ledger`: PostgreSQL. */
export type Layer = 'memory' | 'process' | 'ledger';

export type KeptAnswer = Extract<StoredAnswer, { kind: 'kept' }>;

export type SettledReply = {
  readonly kind: 'settled';
  readonly how: How;
  readonly answer: KeptAnswer;
  readonly state: SettledState;
  /** The same key begins anew: this answer is not replayed. */
  readonly renewable?: boolean;
} & Named;

/** What became of a request, as doors pass it on. */
export type Reply =
  | SettledReply
  | ({
      readonly kind: 'open';
      readonly how: How;
      readonly state: OpenState;
      readonly deadline: Date | null;
      /** As it was after the wait. */
      readonly trouble: Trouble | null;
    } & Named)
  /** The key names another request; nothing is said of it. */
  | { readonly kind: 'key-reused' }
  /** The answer has expired and its tombstone lives. */
  | ({ readonly kind: 'key-expired' } & Named)
  | NotBegun;

/** It would be new. Nothing was accepted, and the key is not consumed. */
export type NotBegun =
  /** Its caller has begun too many. */
  | { readonly kind: 'not-admitted' }
  /** There is more work than ends in time. Seconds until there should be room. */
  | { readonly kind: 'overloaded'; readonly retryAfter: number };

type Named = { readonly id: string; readonly workflowId: string; readonly originalRequest: string };
