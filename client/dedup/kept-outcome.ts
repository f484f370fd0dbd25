import { FinalError } from './final-error.ts';

/** The outcome of a run as text, so that every caller gets the same. A value without a JSON form becomes null. */
export function keptValue(value: unknown): string {
  return JSON.stringify({ value: value ?? null });
}

export function keptRefusal({ message, detail }: FinalError): string {
  return JSON.stringify({ refused: { message, detail } });
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
