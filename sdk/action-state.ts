import type { Action as Advice } from '../workflows/operation/failures.ts';
import type { Problem } from './problem.ts';

/**
 * Where an action of a person stands, as data. Times are milliseconds since 1970. `slow` says that it takes longer than
 * people expect, so that the words change and the screen does not look frozen.
 */
export type ActionState<Result = unknown, Step extends string = string> =
  /** Nothing is under way, and no outcome is left to be seen. */
  | { readonly status: 'idle' }
  /** The request is on its way. */
  | { readonly status: 'submitting'; readonly key: string; readonly slow: boolean }
  /** The server is being asked what has become of the request. */
  | { readonly status: 'confirming'; readonly key: string; readonly slow: boolean }
  /** The next try begins by itself. */
  | { readonly status: 'retrying'; readonly key: string; readonly at: number; readonly retry: number }
  /** The server has it and goes on, whatever becomes of this page. */
  | {
      readonly status: 'waiting';
      readonly key: string;
      readonly operation: string;
      /** The step that is under way, where the answer names one. */
      readonly step: Step | undefined;
      readonly progress: { readonly done: number; readonly of: number };
      /** It has failed, and what it has done is being taken back. */
      readonly undoing: boolean;
      readonly slow: boolean;
    }
  /** It goes on once the person has done something, such as confirming the payment at the bank. */
  | {
      readonly status: 'needs_action';
      readonly key: string;
      readonly operation: string;
      /** `redirect`: go to `url`. Otherwise the step that waits. */
      readonly kind: 'redirect' | Step;
      /** What to do, in the server's words. */
      readonly next: string;
      readonly url: string | undefined;
      readonly expiresAt: string | undefined;
    }
  /** It has happened. `result` is undefined where the server no longer keeps it. */
  | {
      readonly status: 'done';
      readonly key: string;
      readonly operation: string;
      readonly result: Result | undefined;
    }
  /** It did not happen, and the same request would be refused again. */
  | {
      readonly status: 'refused';
      readonly key: string;
      readonly action: Advice;
      readonly sameKeySafe: boolean;
      readonly problem: Problem;
    }
  /** It did not work, through no fault of the person. Where it is retryable, the person decides. */
  | {
      readonly status: 'failed';
      readonly key: string;
      readonly retryable: boolean;
      readonly sameKeySafe: boolean;
      /** Undefined where the server never had the request. */
      readonly problem: Problem | undefined;
    }
  /** The server does not know the outcome yet, and is finding out. */
  | { readonly status: 'unknown'; readonly key: string; readonly operation: string; readonly reconciling: true }
  /** The server does not answer, so nobody here knows the outcome. The person may ask again. */
  | {
      readonly status: 'unknown';
      readonly key: string;
      readonly operation: string | undefined;
      readonly reconciling: false;
    };

/** The states in which an action stops by itself. The key is kept until the outcome was seen. */
export type EndState<Result = unknown, Step extends string = string> = Extract<
  ActionState<Result, Step>,
  { status: 'idle' | 'done' | 'refused' | 'failed' } | { status: 'unknown'; reconciling: false }
>;

export function isEnd<Result, Step extends string>(state: ActionState<Result, Step>): state is EndState<Result, Step> {
  switch (state.status) {
    case 'idle':
    case 'done':
    case 'refused':
    case 'failed':
      return true;
    case 'unknown':
      return !state.reconciling;
    case 'submitting':
    case 'confirming':
    case 'retrying':
    case 'waiting':
    case 'needs_action':
      return false;
  }
}
