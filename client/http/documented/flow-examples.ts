import type { PostedFlow } from '../../../workflows/operation/flow.ts';
import type { OperationState } from '../../../workflows/operation/state.ts';

type Example = { readonly id: string; readonly state: OperationState } & Readonly<Record<string, unknown>>;

const id = `op_${'0'.repeat(26)}`;

/** What a flow's route answers with where all goes well, by the flow's declaration. */
export function flowExamples({ result, steps }: Pick<PostedFlow, 'result' | 'steps'>) {
  const results = (result.meta()?.examples ?? []) as readonly Readonly<Record<string, unknown>>[];
  const waits = Object.entries(steps).flatMap(([awaits, step]): readonly Example[] =>
    step.effect === 'await'
      ? [{ id, state: 'waiting', awaits, next: step.next, expiresAt: '2026-11-27T12:15:00.000Z' }]
      : [],
  );
  return {
    succeeded: results.map((one): Example => ({ id, state: 'succeeded', ...one })),
    /** It waits for something from outside, as some flows do. */
    waiting: waits.slice(0, 1),
    running: [{ id, state: 'running' }] as readonly Example[],
  };
}
