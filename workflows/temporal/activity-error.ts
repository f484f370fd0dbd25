import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { Unfinished, type Why } from '../engine/unfinished.ts';
import type { Ending, Thrown } from '../operation/call.ts';
import type { Refusal } from '../operation/outcome.ts';

/** The failure itself. An ordinary activity's failure comes wrapped; a local activity's does not. */
function causeOf(error: unknown): unknown {
  return error instanceof ActivityFailure ? (error.cause ?? error) : error;
}

/** Whether the same call, made again, may end differently. */
export function isTransient(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof TimeoutFailure || (cause instanceof ApplicationFailure && cause.nonRetryable !== true);
}

/** @returns the pause before the next try that its activity gives, in milliseconds; undefined where it gives none */
export function pauseOf(error: unknown): number | undefined {
  const cause = causeOf(error);
  const pause: unknown = cause instanceof ApplicationFailure ? cause.details?.[0] : undefined;
  return typeof pause === 'number' ? pause : undefined;
}

/** Why a try failed, as its activity reports it; '' if it reports nothing useful. */
export function metBy(error: unknown): string {
  const cause = causeOf(error);
  return cause instanceof ApplicationFailure && cause.type !== 'throttled' ? cause.message : '';
}

/**
 * What an activity's failure means for the story. Classes do not survive Temporal's boundary, so it is recognised by
 * its name.
 */
export function unfinished(error: unknown): unknown {
  if (isCancellation(error)) return new Unfinished({ kind: 'cancel-requested' }, 'The run is cancelled', error);
  const cause = causeOf(error);
  if (!(cause instanceof ApplicationFailure)) return error instanceof TemporalFailure ? failed(cause) : error;
  const why = whyOf(cause);
  return why === undefined ? failed(cause) : new Unfinished(why, cause.message, cause);
}

function failed(cause: unknown): Unfinished {
  const message = cause instanceof Error ? cause.message : String(cause);
  // The original error says more than Temporal's wrapper.
  const inside = cause instanceof TemporalFailure ? (cause.cause ?? cause) : cause;
  return new Unfinished({ kind: 'failed' }, message, inside);
}

function whyOf({ type, details }: ApplicationFailure): Why | undefined {
  const [first, second] = details ?? [];
  switch (type as Thrown) {
    case 'refused':
      return { kind: 'refused', refusal: first as Refusal, attempt: Number(second ?? 1) };
    case 'stopped':
      return { kind: 'stopped', ending: first as Ending };
    case 'fenced':
      return { kind: 'fenced' };
    case 'settled':
      return { kind: 'settled' };
    case 'cancel-requested':
      return { kind: 'cancel-requested' };
    case 'impatient':
      return { kind: 'impatient' };
    // Another run has held it before. This run takes the operation over with a move of its own.
    case 'held-before':
      return undefined;
  }
}

/** The end of a run that cannot go on: visibly failed, so that upkeep starts another. */
export function endOf(error: unknown): unknown {
  if (!(error instanceof Unfinished)) return error;
  const { why, message, cause } = error;
  return ApplicationFailure.create({
    message,
    type: why.kind === 'forward-only' ? 'past-no-return' : why.kind,
    nonRetryable: true,
    ...(why.kind === 'bug' ? { details: [why.step] } : {}),
    ...(cause instanceof Error ? { cause } : {}),
  });
}
