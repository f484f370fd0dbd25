import type { AnyFlow } from './flow.ts';
import type { AwaitDeclaration } from './step-declaration.ts';
import type { OperationState, StepState } from './state.ts';

type Standing = {
  readonly state: OperationState;
  readonly steps: readonly { readonly name: string; readonly state: StepState }[];
};

/** The step that waits for something from outside; undefined if the operation does not wait. */
export function awaitedStep(
  flow: AnyFlow,
  { state, steps }: Standing,
): (AwaitDeclaration & { readonly name: string }) | undefined {
  if (state !== 'waiting' && state !== 'claimed') return undefined;
  const begun = new Map(steps.map((step) => [step.name, step.state]));
  // A flow that begins with a wait is waiting even before its story has begun.
  const name = Object.keys(flow.steps).find((one, n) => begun.get(one) === 'sent' || (n === 0 && !begun.has(one)));
  const step = name === undefined ? undefined : flow.steps[name];
  return name !== undefined && step?.effect === 'await' ? { ...step, name } : undefined;
}
