import {
  drawPause,
  longestAskedPause,
  pauseAfter,
  type RetrySchedule,
} from '../../workflows/operation/retry-schedule.ts';
import { HeldBack } from '../stores/outcomes/held-back.ts';

/** What the ledger knows of a step that is about to be sent. Milliseconds. */
type Turn = {
  /** With this one. */
  readonly sends: number;
  /** Since the send before. A clock that was set back makes it less than 0. */
  readonly since: number | undefined;
  /** How long the outside still wants to be left alone. */
  readonly asked: number;
};

/**
 * Holds a send back whose time has not come. Temporal waits for the pauses by itself. But a new run, a worker that has died or a
 * person's word may bring a try about earlier, so the ledger decides.
 * @throws HeldBack, whose wait is what is left of the schedule's pause, or of the pause that the outside has asked for
 */
export function expectTurn(schedule: RetrySchedule, { sends, since, asked }: Turn): void {
  const isEarly = since !== undefined && since < pauseAfter(sends - 1, schedule).least;
  if (!isEarly && asked <= 0) return;
  const rest = isEarly ? drawPause(sends - 1, schedule, Math.random()) - Math.max(0, since) : 0;
  const often = sends === 2 ? 'once' : `${sends - 1} times`;
  throw new HeldBack(
    `It was sent ${often} without a clear answer, and is left alone for a while. Nothing was sent.`,
    Math.ceil(Math.max(rest, Math.min(asked, longestAskedPause))),
  );
}
