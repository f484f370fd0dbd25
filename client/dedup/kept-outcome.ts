import { FinalError } from './final-error.ts';

/**
 * The outcome of a run as text, so that every caller gets the same. What JSON leaves out, such as a function, becomes
 * null. What it cannot tell (a BigInt, a cycle) is kept as a refusal: the run has had its effect, and another would
 * repeat it.
 */
export function keptValue(value: unknown): string {
  try {
    return `{"value":${jsonOf(value)}}`;
  } catch (error) {
    return keptRefusal(new FinalError(`This has run, but its answer has no JSON form: ${String(error)}`));
  }
}

/** A detail that JSON cannot tell becomes null. */
export function keptRefusal({ message, detail }: FinalError): string {
  let told = 'null';
  try {
    told = jsonOf(detail);
  } catch {
    // The refusal itself counts, and is not to be lost for its detail.
  }
  return `{"refused":{"message":${JSON.stringify(message)},"detail":${told}}}`;
}

function jsonOf(value: unknown): string {
  // What it leaves out it gives as undefined, whatever its type says.
  return (JSON.stringify(value) as string | undefined) ?? 'null';
}

/** Whether a text is one of ours. A faster layer may hold anything. */
export function isOutcome(kept: string): boolean {
  try {
    const outcome: unknown = JSON.parse(kept);
    return typeof outcome === 'object' && outcome !== null && ('value' in outcome || 'refused' in outcome);
  } catch {
    return false;
  }
}

/** @throws FinalError when that is the outcome */
export function outcomeOf(kept: string): unknown {
  const outcome = JSON.parse(kept) as { readonly value: unknown } | { readonly refused: FinalError };
  if ('refused' in outcome) throw new FinalError(outcome.refused.message, outcome.refused.detail);
  return outcome.value;
}
