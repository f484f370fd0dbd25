import { spoken } from './duration.ts';
import type { Retention } from './retention.ts';

/** That processes share copies of a flow's settled answers in Redis, and for how long. */
export type AnswerCopies = {
  /** From the writing of a copy, and never longer than the answer itself. Milliseconds. */
  readonly lifetime: number;
  /** Why the flow's duplicates are worth a copy. */
  readonly because: string;
};

/**
 * A copy that ends while senders still retry serves only their first retries, and one that outlives the answer would
 * repeat what the ledger has forgotten.
 * @returns what is wrong, one sentence each
 */
export function copyFaults({
  name,
  copies,
  retryHorizon,
  retention,
}: {
  readonly name: string;
  readonly copies?: AnswerCopies;
  readonly retryHorizon: number;
  readonly retention: Retention;
}): readonly string[] {
  if (copies === undefined) return [];
  const { lifetime } = copies;
  return [
    ...(lifetime >= retryHorizon
      ? []
      : [
          `Flow ${name} keeps copies of its answers in Redis for ${spoken(lifetime)}, but its senders retry for ` +
            `${spoken(retryHorizon)}: raise copies.lifetime to that.`,
        ]),
    ...(lifetime <= retention.response
      ? []
      : [
          `Flow ${name} keeps copies of its answers in Redis for ${spoken(lifetime)}, but the answers themselves for ` +
            `${spoken(retention.response)}: lower copies.lifetime to that.`,
        ]),
  ];
}
