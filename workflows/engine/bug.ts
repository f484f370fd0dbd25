import type { AnyFlow } from '../operation/flow.ts';
import { Unfinished } from './unfinished.ts';

/**
 * A story that does not keep to its declaration. Nothing is undone for it: the run ends visibly as failed, and upkeep
 * starts another, so that a deployed fix is picked up.
 * @param fault what is wrong with the step, as the rest of a sentence that its name begins
 */
export function bug({ name }: AnyFlow, step: string, fault: string, cause?: unknown): Unfinished {
  return new Unfinished({ kind: 'bug', step }, `Step ${name}.${step} ${fault}.`, cause);
}
