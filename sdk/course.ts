import { seconds } from '../workflows/operation/duration.ts';
import { isSettled } from '../workflows/operation/state.ts';
import type { ActionState } from './action-state.ts';
import { type OperationView, stateOfOperation } from './operation-view.ts';
import type { Problem } from './problem.ts';
import { retryPause } from './retry-pause.ts';
import { stateOfProblem } from './state-of-problem.ts';

/** An action under way: its state, and what decides about the next try. */
export type Course = {
  readonly state: ActionState;
  /** Retries that were begun by themselves, over refreshes. */
  readonly retries: number;
  /** What a pause ends in: another request, or another question about the first one. */
  readonly after: 'send' | 'ask';
  /**
   * What follows where the server has no operation of the key. `retry`: send again, after a pause. `send`: a person has
   * asked for it, so at once. `stop`: the input is not there, so the person decides.
   */
  readonly ifMissing: 'retry' | 'send' | 'stop';
  /** A request of this key may have arrived, and nobody has heard what became of it. */
  readonly doubt: boolean;
};

/** What has happened to an action that is under way. */
export type CourseEvent =
  /** The server has shown the operation. */
  | { readonly type: 'shown'; readonly view: OperationView }
  /** The server has answered the request with a problem. */
  | { readonly type: 'answered'; readonly problem: Problem }
  /** No answer came, or none that can be read: nobody knows whether the request arrived. `retryAfter` in milliseconds. */
  | { readonly type: 'lost'; readonly retryAfter?: number }
  /** The server has no operation of the key. */
  | { readonly type: 'missing' }
  /** An operation that was known is not shown any more, such as to a caller who has become somebody else. */
  | { readonly type: 'gone' }
  /** The server does not say. `expired`: it does not know the caller any more. Otherwise this caller may not ask. */
  | { readonly type: 'withheld'; readonly expired: boolean }
  | { readonly type: 'pauseOver' }
  | { readonly type: 'slow' };

type Moment = {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Between 0 and 1. */
  readonly random: number;
  /** When the newest request left, as far as that is known. */
  readonly sent?: number | undefined;
};

/** A request may still be on its way for so long: in a proxy, or before its claim. Milliseconds. */
const arriving = seconds(30);

/** Whether a request that the server does not have may still arrive. */
export function mayArrive(sent: number | undefined, now: number): boolean {
  return sent !== undefined && Math.abs(now - sent) < arriving;
}

/** A new action, whose first request is about to leave. */
export function begun(key: string): Course {
  return {
    state: { status: 'submitting', key, slow: false },
    retries: 0,
    after: 'send',
    ifMissing: 'retry',
    doubt: false,
  };
}

/**
 * An action of an earlier page or try: the server is asked before anything is sent.
 * @param doubt false where each of its requests was answered, and none had begun an operation
 */
export function takenUp(key: string, retries: number, ifMissing: Course['ifMissing'], doubt = true): Course {
  return { state: { status: 'confirming', key, slow: false }, retries, after: 'ask', ifMissing, doubt };
}

/** The next course of an action. It is pure, and an event that does not fit the state changes nothing. */
export function advance(course: Course, event: CourseEvent, moment: Moment): Course {
  const { state } = course;
  switch (state.status) {
    case 'idle':
    case 'done':
    case 'refused':
    case 'failed':
      return course;
    case 'retrying':
      return event.type === 'pauseOver' ? next(course, state.key) : course;
    case 'submitting':
    case 'confirming':
      return decided(course, state, event, moment);
    case 'waiting':
    case 'needs_action':
    case 'unknown':
      return followed(course, state, event);
  }
}

function next(course: Course, key: string): Course {
  return course.after === 'send'
    ? { ...course, ifMissing: 'retry', state: { status: 'submitting', key, slow: false } }
    : { ...course, state: { status: 'confirming', key, slow: false } };
}

type Asking = Extract<ActionState, { status: 'submitting' | 'confirming' }>;

function decided(course: Course, state: Asking, event: CourseEvent, moment: Moment): Course {
  const { key } = state;
  const unknown: ActionState = { status: 'unknown', key, operation: undefined, reconciling: false };
  switch (event.type) {
    case 'slow':
      return { ...course, state: { ...state, slow: true } };
    case 'pauseOver':
      return course;
    case 'shown':
      return shown(course, stateOfOperation(key, event.view), moment);
    case 'answered':
      return state.status === 'submitting' ? answered(course, event.problem, key, moment) : course;
    case 'lost':
      // The first question is asked at once: the answer may be there already.
      return state.status === 'submitting' && (event.retryAfter ?? 0) === 0
        ? { ...course, doubt: true, state: { status: 'confirming', key, slow: state.slow } }
        : paused(
            { ...course, doubt: true },
            key,
            { after: 'ask', asked: event.retryAfter ?? 0, otherwise: unknown },
            moment,
          );
    case 'gone':
      return { ...course, state: unknown };
    case 'withheld':
      if (course.ifMissing === 'stop') return { ...course, state: unknown };
      // The server recognises the key, so sending it again asks the same question.
      return course.ifMissing === 'send'
        ? next({ ...course, after: 'send' }, key)
        : paused(course, key, { after: 'send', asked: 0, otherwise: unknown }, moment);
    case 'missing': {
      const unsent: ActionState = mayArrive(moment.sent, moment.now)
        ? unknown
        : { status: 'failed', key, retryable: true, sameKeySafe: true, problem: undefined };
      if (course.ifMissing === 'send') return next({ ...course, after: 'send' }, key);
      if (course.ifMissing === 'stop') return { ...course, state: unsent };
      return paused(course, key, { after: 'send', asked: 0, otherwise: unsent }, moment);
    }
  }
}

/** An operation that has ended with a retryable problem lets its key begin anew, as if there were none. */
function shown(course: Course, state: ActionState, moment: Moment): Course {
  const again = state.status === 'failed' && state.retryable && state.sameKeySafe && course.ifMissing !== 'stop';
  if (!again) return { ...course, state };
  if (course.ifMissing === 'send') return next({ ...course, after: 'send' }, state.key);
  const asked = seconds(state.problem?.retryAfter ?? 0);
  return paused(course, state.key, { after: 'send', asked, otherwise: state }, moment);
}

function answered(course: Course, problem: Problem, key: string, moment: Moment): Course {
  const open = openOperation(problem);
  if (open !== undefined) return { ...course, state: stateOfOperation(key, open) };
  // The key is ours alone, so an earlier request has arrived, and it is the one that counts.
  if (namesEarlierRequest.has(problem.code))
    return { ...course, ifMissing: 'stop', doubt: true, state: { status: 'confirming', key, slow: false } };
  const otherwise = stateOfProblem(key, problem);
  if (!problem.retryable || !problem.sameKeySafe) {
    // This request was turned away before its operation was looked for. That says nothing about the one before.
    const ofThisTry = course.doubt && problem.operationUrl === undefined;
    const unknown: ActionState = { status: 'unknown', key, operation: undefined, reconciling: false };
    return { ...course, state: ofThisTry ? unknown : otherwise };
  }
  return paused(course, key, { after: 'send', asked: seconds(problem.retryAfter ?? 0), otherwise }, moment);
}

const namesEarlierRequest: ReadonlySet<string | undefined> = new Set(['key-reused', 'key-expired', 'erased']);

/** The operation that a problem says is still open. It is looked at from then on, and not sent again. */
function openOperation({ operationUrl, state, trouble }: Problem): OperationView | undefined {
  if (operationUrl === undefined || typeof state !== 'string' || isSettled(state as OperationView['state']))
    return undefined;
  const id = operationUrl.split('/').at(-1) ?? '';
  const known = typeof trouble === 'object' && trouble !== null ? { trouble } : {};
  return { id, state: state as OperationView['state'], ...known };
}

type Pausing = { readonly after: Course['after']; readonly asked: number; readonly otherwise: ActionState };

function paused(course: Course, key: string, { after, asked, otherwise }: Pausing, moment: Moment): Course {
  const pause = retryPause(course.retries, asked, moment.random);
  if (pause === undefined) return { ...course, state: otherwise };
  const retry = course.retries + 1;
  return { ...course, after, retries: retry, state: { status: 'retrying', key, at: moment.now + pause, retry } };
}

type Followed = Extract<ActionState, { status: 'waiting' | 'needs_action' | 'unknown' }>;

/** The operation is known: it is looked at until it has ended, and nothing is sent. */
function followed(course: Course, state: Followed, event: CourseEvent): Course {
  if (state.status === 'unknown' && !state.reconciling) return course;
  switch (event.type) {
    case 'shown':
      return { ...course, state: stateOfOperation(state.key, event.view) };
    case 'lost':
    case 'slow':
      return state.status === 'waiting' ? { ...course, state: { ...state, slow: true } } : course;
    case 'answered':
    case 'missing':
    case 'gone':
    case 'withheld':
      // The right to look was lost, or the token has expired. The operation goes on without us.
      return {
        ...course,
        state: { status: 'unknown', key: state.key, operation: state.operation, reconciling: false },
      };
    case 'pauseOver':
      return course;
  }
}
