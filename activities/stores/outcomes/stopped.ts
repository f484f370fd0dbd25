import type { Ending } from '../../../workflows/operation/call.ts';

/** A person has found that the step had no effect, and the ledger has accepted that: the step is not tried again. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly ending: Ending;
  constructor(ending: Ending) {
    super(ending.refusal.detail);
    this.ending = ending;
  }
}
