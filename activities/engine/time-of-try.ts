import { Context } from '@temporalio/activity';
import type { Sending } from '../stores/sending.ts';

/** Leaves 10 % of the try's time for what follows the answer. */
const ownTime = 0.9;

/** How long a call of this try may take, and what ends it before. */
export function timeOfTry(): Pick<Sending, 'timeout' | 'signal'> {
  const { info, cancellationSignal } = Context.current();
  const timeout = Math.floor((info.startToCloseTimeoutMs || info.scheduleToCloseTimeoutMs) * ownTime);
  return { timeout, signal: cancellationSignal };
}
