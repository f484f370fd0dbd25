import { spoken } from './duration.ts';
import type { Retries } from './retry-schedule.ts';
import type { StepDeclaration } from './step-declaration.ts';

/**
 * Looks whether a flow says how its steps outside are tried again.
 * @returns what is wrong, one sentence each: the flow, the danger, and how to mend it
 */
export function retryFaults(
  flow: string,
  steps: Readonly<Record<string, StepDeclaration>>,
  retries: Retries | undefined,
  patience: number,
): readonly string[] {
  const calling = Object.keys(steps).filter((name) => steps[name]?.calls !== undefined);
  if (retries === undefined)
    return calling.length === 0
      ? []
      : [
          `Flow ${flow} calls outside systems (${calling.join(', ')}) and does not say how it tries again: declare ` +
            `\`retries: 'interactive'\` where a person waits, or a schedule of pauses where nobody does.`,
        ];
  if (calling.length === 0)
    return [`Flow ${flow} declares retries and calls no outside system, so they would do nothing: leave them out.`];
  if (retries === 'interactive') return [];
  const { firstPause, growth, longestPause, jitter } = retries;
  return [
    ...(firstPause > 0 && growth >= 1 && longestPause >= firstPause
      ? []
      : [
          `Flow ${flow} tries again in pauses from ${spoken(firstPause)}, × ${growth}, at most ${spoken(longestPause)}, which ` +
            `would press a system that fails: let them be longer than nothing, and never get shorter.`,
        ]),
    ...(jitter.from > 0 && jitter.to > jitter.from
      ? []
      : [
          `Flow ${flow} draws its pauses × ${jitter.from}–${jitter.to}, so that all would come back at once or without a ` +
            `pause: give two shares above 0, the lower one first.`,
        ]),
    ...(firstPause < patience
      ? []
      : [
          `Flow ${flow} would try again after ${spoken(firstPause)}, when its patience of ${spoken(patience)} is over: give it ` +
            `a shorter pause.`,
        ]),
  ];
}
