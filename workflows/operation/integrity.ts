import { failure, type IntegrityCause } from './failures.ts';
import type { Refusal } from './outcome.ts';

/** @returns undefined for a failure that says nothing against the bytes, such as one of a network or of a store */
export function integrityCause({ code, more }: Refusal): IntegrityCause | undefined {
  return (more?.cause as IntegrityCause | undefined) ?? failure(code).cause;
}
