import type { AnyFlow } from '../operation/flow.ts';
import { Unfinished } from './unfinished.ts';

/**
 * A story that breaks its declaration. Nothing is undone: the run ends visibly as failed, and upkeep starts another
 * one, so that a deployed fix takes effect.
 * @param fault what is wrong with the step, as the rest of a sentence that begins with its name
 */
export function bug({ name }: AnyFlow, step: string, fault: string, cause?: unknown): Unfinished {
  return new Unfinished({ kind: 'bug', step }, `Step ${name}.${step} ${fault}.`, cause);
}
