import type { StepCall, UndoCall } from '../../workflows/operation/call.ts';
import type { Sending } from '../stores/sending.ts';
import { aboutOf } from './about-of.ts';
import { timeOfTry } from './time-of-try.ts';

export function sendingOf(call: StepCall | UndoCall, key: string, age: number, attempt: number): Sending {
  return { ...aboutOf(call), ...timeOfTry(), key, age, attempt };
}
