import type { Ending } from '../../../workflows/operation/call.ts';

/** A person has found that the step had no effect, and the ledger has followed: it is not tried any more. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly ending: Ending;
  constructor(ending: Ending) {
    super(ending.refusal.detail);
    this.ending = ending;
  }
}
