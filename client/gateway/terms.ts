import type { Database } from '../../activities/stores/postgres/database.ts';
import type { AnyFlow } from '../../workflows/operation/flow.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { Call } from './call.ts';

/**
 * What a deployment takes of a flow, beyond what the flow's schema says: it refuses requests, or fills in what they leave
 * out. Only a new operation is held to it, so that a change of terms still answers every retry.
 */
export type FlowTerms = {
  /** Fields that it may fill in. */
  readonly fills: readonly string[];
  /** Fills in what the request leaves out. It must not change what the request says. */
  readonly filled: (request: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;
  /** @returns why the filled request is not taken, if so */
  readonly refusal: (
    database: Database,
    call: Omit<Call, 'request'>,
    request: Readonly<Record<string, unknown>>,
  ) => Promise<Refusal | undefined>;
};

/** The terms of each flow that has some, by its name. */
export type Terms = Readonly<Record<string, FlowTerms>>;

/** @returns the request as it is stored, with defaults of the schema and of the deployment */
export function filledRequest(terms: Terms | undefined, flow: AnyFlow, request: unknown): Record<string, unknown> {
  const parsed = flow.request.parse(request) as Record<string, unknown>;
  return { ...parsed, ...terms?.[flow.name]?.filled(parsed) };
}
