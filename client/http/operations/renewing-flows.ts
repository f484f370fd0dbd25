import type { FailureCode } from '../../../workflows/operation/failures.ts';
import type { AnyFlow } from '../../../workflows/operation/flow.ts';

/** The flows in which a key may begin a new operation after one that ended with this code. */
export function renewingFlows(flows: readonly AnyFlow[], code: FailureCode): readonly AnyFlow[] {
  // Every final state except `refused` has a code of the same name.
  return flows.filter(({ renewsAfter }) => renewsAfter.some((state) => state.replaceAll('_', '-') === code));
}
