import type { FailureCode } from './failures.ts';
import type { SettledState } from './state.ts';

/** Why an operation did not succeed: a code of the failure table and what a person needs to know of this case. */
export type Refusal = {
  readonly code: FailureCode;
  readonly detail: string;
  /** Members for programs, such as the decline code or the field at fault. */
  readonly more?: Readonly<Record<string, unknown>>;
};

export type Outcome =
  | { readonly state: 'succeeded'; readonly result: Readonly<Record<string, unknown>> }
  | { readonly state: Exclude<SettledState, 'succeeded'>; readonly refusal: Refusal };
