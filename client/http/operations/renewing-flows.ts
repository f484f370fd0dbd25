import type { FailureCode } from '../../../workflows/operation/failures.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';

/** The flows that let a key begin anew after an operation that ended with this code. */
export function renewingFlows(flows: readonly AnyFlow[], code: FailureCode): readonly AnyFlow[] {
  // Each end but a refusal has a code of its own name.
  return flows.filter(({ renewsAfter }) => renewsAfter.some((state) => state.replaceAll('_', '-') === code));
}
