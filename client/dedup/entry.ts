import { z } from 'zod';
import { isOutcome } from './kept-outcome.ts';
import type { Answered, Hold } from './layer.ts';

/** What stands under an id in Redis or in a stream: `held:{token}` while its holder runs, then `kept:[name, end, answer]`. */
const copy = z.tuple([z.string(), z.number(), z.string()]);

export const held = ({ token }: Hold): string => `held:${token}`;

export const isHeld = (found: string | undefined): boolean => found?.startsWith('held:') === true;

export function kept(name: string, answer: string, left: number): string {
  return `kept:${JSON.stringify([name, Math.ceil(Date.now() + left), answer])}`;
}

/**
 * Reads what stands under a name. A copy of another id, garbage, and an answer past its end are ignored. The end is read
 * too, because a frozen process may write its copy late. Nothing is signed: whoever may write there may answer.
 */
export function answeredBy(name: string, found: string | undefined): Answered | undefined {
  if (!found?.startsWith('kept:')) return undefined;
  try {
    const [of, end, answer] = copy.parse(JSON.parse(found.slice('kept:'.length)));
    const left = end - Date.now();
    return of === name && left > 0 && isOutcome(answer) ? { kind: 'answered', answer, left } : undefined;
  } catch {
    return undefined;
  }
}
