import type { Refusal } from '../../../workflows/operation/outcome.ts';

/** The outside has definitively said no. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}
