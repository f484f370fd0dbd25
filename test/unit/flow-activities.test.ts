import { describe, expect, it } from 'vitest';
import { activitiesOf, stepsOf } from '../../activities/engine/flow-activities.ts';
import { SystemGuards } from '../../activities/engine/system-guards.ts';
import { systems } from '../../activities/outside/systems.ts';
import type { StepActivities, WaitActivities } from '../../activities/engine/step-activities.ts';
import { checkoutFlow as flow } from '../../workflows/checkout.flow.ts';
import type { uploadFlow } from '../../workflows/upload.flow.ts';

const step: StepActivities = { kind: 'step', step: async () => ({ result: null }), undo: undefined };
const wait: WaitActivities = { kind: 'wait', step: async () => ({ kind: 'closed' }), undo: undefined };
const paid = { reserve: step, openPayment: step, authorise: step, authenticate: wait, decide: step, capture: step };
const sent = { assemble: step, verify: step, finalize: step, tidy: step, publish: step };

describe('the activities of a flow', () => {
  it('are those of its steps, or they do not compile', () => {
    // `npm run check:types` fails where one of these compiles.
    const of = stepsOf<typeof flow>();
    expect(Object.keys(of({ ...paid, complete: step }))).toHaveLength(7);
    // @ts-expect-error -- a step has no activity
    of(paid);
    // @ts-expect-error -- an activity is of no step
    of({ ...paid, complete: step, refund: step });
    const ofUpload = stepsOf<typeof uploadFlow>();
    ofUpload({ ...sent, receive: wait });
    // @ts-expect-error -- a step that waits is done by no step of ours
    ofUpload({ ...sent, receive: step });
    // @ts-expect-error -- the media worker's step is registered there
    ofUpload({ ...sent, receive: wait, thumbnails: step });
  });

  it('can do what the declaration promises, or no worker starts', () => {
    const undo = async () => ({ result: null });
    const check = async () => null;
    const right = {
      reserve: { ...step, undo },
      openPayment: { ...step, undo, check },
      authorise: { ...step, check },
      capture: { ...step, check },
      complete: step,
    };
    const made = (steps: Record<string, StepActivities>) => () =>
      activitiesOf({} as never, [{ flow, made: steps }], new SystemGuards(systems));
    expect(made(right)).not.toThrow();
    expect(made({ ...right, reserve: step })).toThrow(
      'Step checkout.reserve declares an undo of its own and has none: give its activities an `undo`',
    );
    expect(made({ ...right, capture: step })).toThrow('Step checkout.capture declares `resolvedAs` and has no `check`');
  });
});
