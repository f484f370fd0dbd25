import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  log,
  TemporalFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { minutes } from '../operation/duration.ts';
import type { Ending } from '../operation/call.ts';
import type { AnyFlow } from '../operation/flow.ts';

/** What went wrong. An activity's failure comes wrapped, that of an activity beside the workflow comes as it is. */
export function causeOf(error: unknown): unknown {
  return error instanceof ActivityFailure ? (error.cause ?? error) : error;
}

/** May the same call, made again, end otherwise? */
export function transient(error: unknown): boolean {
  const cause = causeOf(error);
  return cause instanceof TimeoutFailure || (cause instanceof ApplicationFailure && cause.nonRetryable !== true);
}

/** @returns how long the outside has asked us to wait before the next try, in milliseconds; undefined where it said nothing */
export function askedToWait(error: unknown): number | undefined {
  const cause = causeOf(error);
  if (!(cause instanceof ApplicationFailure) || cause.type !== 'throttled') return undefined;
  return (cause.details?.[0] as number | null | undefined) ?? undefined;
}

/** What a failure means for the story, by its name: classes do not survive Temporal's boundary. */
export function thrownBy(
  error: unknown,
): 'settled' | 'fenced' | 'cancel-requested' | 'refused' | 'stopped' | 'failed' | 'bug' {
  if (isCancellation(error)) return 'cancel-requested';
  const cause = causeOf(error);
  if (!(cause instanceof ApplicationFailure)) return error instanceof TemporalFailure ? 'failed' : 'bug';
  const { type } = cause;
  const definite =
    type === 'settled' ||
    type === 'fenced' ||
    type === 'cancel-requested' ||
    type === 'refused' ||
    type === 'stopped' ||
    type === 'bug';
  return definite ? type : 'failed';
}

/** @returns how the operation ends that a person has stopped; undefined for any other failure */
export function stoppedBy(error: unknown): Ending | undefined {
  const cause = causeOf(error);
  if (!(cause instanceof ApplicationFailure) || cause.type !== 'stopped') return undefined;
  return cause.details?.[0] as Ending;
}

/** What a failed try has met, as its activity says it. */
export function metBy(error: unknown): string {
  const cause = causeOf(error);
  return cause instanceof ApplicationFailure && cause.type !== 'throttled' ? cause.message : '';
}

/**
 * @param what what has failed, as a subject
 * @returns what its caller is told. What it was inside (statements, addresses, names of tables) goes to the log alone.
 */
export function toldOf(error: unknown, what: string, flow: AnyFlow): string {
  const cause = causeOf(error);
  const inside = cause instanceof TemporalFailure ? (cause.cause ?? cause) : cause;
  log.warn(`${what} has failed`, { cause: inside instanceof Error ? inside.message : String(inside) });
  const impatient = cause instanceof ApplicationFailure && cause.type === 'impatient';
  return impatient
    ? `${what} was not finished within ${flow.patience / minutes(1)} min.`
    : `${what} could not be finished.`;
}
