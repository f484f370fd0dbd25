import type { Settlement } from './call.ts';
import { failure } from './failures.ts';
import type { AnyFlow } from './flow.ts';
import type { Outcome } from './outcome.ts';

/** How an operation of the flow settles with this outcome. @param requestId of the request that began it */
export function settlementOf(
  { renewsAfter, retention, sweepAfter }: AnyFlow,
  requestId: string,
  outcome: Outcome,
): Settlement {
  const saysNotNow = outcome.state !== 'succeeded' && failure(outcome.refusal.code).stored === false;
  return {
    outcome,
    requestId,
    renewable: renewsAfter.includes(outcome.state) || saysNotNow,
    keep: { response: retention.response, tombstone: retention.tombstone },
    sweepAfter: sweepAfter ?? null,
  };
}
