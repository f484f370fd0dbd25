import { CancellationScope } from '@temporalio/workflow';
import type { Operation } from '../engine/operation.ts';
import type { Opening, OperationRef } from '../operation/call.ts';
import type { OperationState } from '../operation/state.ts';
import { endOf } from './activity-error.ts';
import { TemporalTeller } from './temporal-teller.ts';

/**
 * @returns the function that Temporal runs for an operation; it resolves with the state in which the operation settled
 */
export function workflowOf({ tell }: Operation): (ref: OperationRef, opening?: Opening) => Promise<OperationState> {
  return async (ref, opening) => {
    const root = CancellationScope.current();
    return await CancellationScope.nonCancellable(async () => {
      const teller = new TemporalTeller(ref);
      root.cancelRequested.catch(() => teller.cancelledByHand());
      try {
        return await tell(teller, ref, opening);
      } catch (error) {
        throw endOf(error);
      }
    });
  };
}
