import { bug } from './bug.ts';
import type { Story } from './story.ts';

/**
 * The declaration proves that each refusal has a way back, for steps in the order in which it lists them. A story that
 * goes back in that order would have been proved for nothing.
 * @throws a bug when an earlier step is asked for after a later one
 */
export function expectOrder({ engine, flow }: Story, name: string): void {
  const names = Object.keys(flow.steps);
  const position = names.indexOf(name);
  const reached = names[engine.reached] ?? '';
  if (position < engine.reached)
    throw bug(flow, name, `was asked for after ${reached}, which its flow declares behind it`);
  engine.reached = position;
}
