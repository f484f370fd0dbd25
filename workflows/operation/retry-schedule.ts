import { hours, milliseconds, minutes, seconds } from './duration.ts';

/** Each pause is drawn anew, between these shares of it. */
type Jitter = { readonly from: number; readonly to: number };

/**
 * Pauses between the sends of a step for which nobody waits. They end with the flow's patience, or, behind a step that
 * nothing stops, with the outcome.
 */
type BackgroundSchedule = {
  /** Before the second send; each further pause is `growth` times as long, up to `longestPause`. Milliseconds. */
  readonly firstPause: number;
  readonly growth: number;
  /** Before jitter. Milliseconds. */
  readonly longestPause: number;
  readonly jitter: Jitter;
};

/**
 * When a step that calls an outside system is sent again, if the answer was not clear. Each send carries the same key.
 * The ledger counts them: over runs, crashes and whatever callers do.
 */
export type RetrySchedule = BackgroundSchedule & {
  /** The pauses while a caller waits. What they do not settle goes on behind the caller, in the background's pauses. */
  readonly waited?: { readonly pauses: readonly number[]; readonly jitter: Jitter };
};

/** What a flow declares: `interactive` where a person waits for its outcome, or a schedule of its own. */
export type Retries = 'interactive' | BackgroundSchedule;

const half: Jitter = { from: 0.5, to: 1.5 };

/** Three retries in some 5 s. More would keep a person waiting for a system that needs longer to recover. */
export const whileCallerWaits = {
  pauses: [milliseconds(300), seconds(1), seconds(2)],
  jitter: half,
} as const satisfies RetrySchedule['waited'];

/**
 * The longest that a caller may prefer to wait: proxies cut connections that are silent for longer. An interactive step is
 * sent at most four times meanwhile.
 */
export const longestCallerWait = seconds(30);

/** A longer pause for which an outside system asks is cut to this: what it asks by mistake costs minutes and not days. */
export const longestAskedPause = minutes(5);

/** An undo. A minute is the longest that money or stock stays held because of a pause of ours. */
export const whileUndoing: BackgroundSchedule = {
  firstPause: seconds(1),
  growth: 2,
  longestPause: minutes(1),
  jitter: half,
};

/**
 * A message to a person. A mail server that restarts is back within seconds, and one that is away for hours is not asked more
 * often than four times an hour.
 */
export const whileDelivering: BackgroundSchedule = {
  firstPause: seconds(2),
  growth: 2,
  longestPause: minutes(15),
  jitter: half,
};

/**
 * A webhook. A receiver that restarts is asked again within seconds; one that is away for a day is met a few times, and then twice a
 * day. Thirteen tries take some three days.
 */
export const whileCallingOut: BackgroundSchedule = {
  firstPause: seconds(5),
  growth: 5,
  longestPause: hours(12),
  jitter: half,
};

/**
 * Events, while the broker gives no answer. One that elects a leader is back within seconds. No pause is longer than `longestPause`,
 * which is part of the time for which the broker has to know an id.
 */
export const whilePublishing: BackgroundSchedule = {
  firstPause: milliseconds(500),
  growth: 2,
  longestPause: seconds(30),
  jitter: { from: 0.5, to: 1 },
};

/** An effect of a consumer. Twelve tries take some 27 minutes. */
export const whileConsuming: BackgroundSchedule = {
  firstPause: seconds(1),
  growth: 2,
  longestPause: minutes(10),
  jitter: half,
};

/** @param behindCaller the first pause behind the caller of an interactive flow. Milliseconds. */
export function scheduleOf(retries: Retries, behindCaller: number): RetrySchedule {
  if (retries !== 'interactive') return retries;
  return {
    waited: whileCallerWaits,
    firstPause: behindCaller,
    growth: 2,
    longestPause: behindCaller * 4,
    // Never earlier: the caller may still wait.
    jitter: { from: 1, to: 1.5 },
  };
}

/** The bounds of the pause after so many sends. Milliseconds. */
export function pauseAfter(sends: number, schedule: RetrySchedule): { readonly least: number; readonly most: number } {
  const { waited, firstPause, growth, longestPause } = schedule;
  const early = waited?.pauses[sends - 1];
  const behind = sends - 1 - (waited?.pauses.length ?? 0);
  const pause = early ?? Math.min(longestPause, firstPause * growth ** behind);
  const { from, to } = early === undefined ? schedule.jitter : (waited?.jitter ?? schedule.jitter);
  return { least: pause * from, most: pause * to };
}

/** The pause after so many sends. @param random between 0 and 1 @returns milliseconds */
export function drawPause(sends: number, schedule: RetrySchedule, random: number): number {
  const { least, most } = pauseAfter(sends, schedule);
  return Math.ceil(least + random * (most - least));
}
