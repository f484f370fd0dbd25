import { ActivityFailure, ApplicationFailure, isCancellation } from '@temporalio/workflow';

/** What a failure means for the story, by its name: classes do not survive Temporal's boundary. */
export function thrownBy(error: unknown): 'settled' | 'fenced' | 'cancel-requested' | 'refused' | 'failed' | 'bug' {
  if (isCancellation(error)) return 'cancel-requested';
  const cause = error instanceof ActivityFailure ? error.cause : error;
  if (!(cause instanceof ApplicationFailure)) return error instanceof ActivityFailure ? 'failed' : 'bug';
  const { type } = cause;
  const definite = type === 'settled' || type === 'fenced' || type === 'cancel-requested' || type === 'refused';
  return definite ? type : 'failed';
}

/** @returns what a person is told of a failure */
export function messageOf(error: unknown): string {
  const cause = error instanceof ActivityFailure ? (error.cause ?? error) : error;
  return cause instanceof Error ? cause.message : String(cause);
}
