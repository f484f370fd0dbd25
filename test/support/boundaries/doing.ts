import { AsyncLocalStorage } from 'node:async_hooks';

/** What an activity does, seen from the calls that it makes. */
type Doing = {
  readonly operation: string;
  /** A step, `{step}.undo`, or a move of the ledger itself. */
  readonly name: string;
  /** Its answers from outside are lost. */
  readonly loses: boolean;
};

/** The activity on whose behalf something is called. */
export const doing = new AsyncLocalStorage<Doing>();
