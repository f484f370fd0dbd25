import { Context } from '@temporalio/activity';
import type { StepCall, UndoCall } from '../../workflows/operation/call.ts';
import type { Sending } from '../stores/sending.ts';
import { aboutOf } from './about-of.ts';

/** Leaves 10 % of the try's time for what follows the answer. */
const ownTime = 0.9;

export function sendingOf(call: StepCall | UndoCall, key: string, age: number, attempt: number): Sending {
  const { info, cancellationSignal } = Context.current();
  const timeout = Math.floor((info.startToCloseTimeoutMs || info.scheduleToCloseTimeoutMs) * ownTime);
  return { ...aboutOf(call), key, age, attempt, timeout, signal: cancellationSignal };
}
