import { describe, expect, it } from 'vitest';
import { createActivities } from '../../activities/create-activities.ts';
import { activitiesOf, stepsOf } from '../../activities/engine/flow-activities.ts';
import type { StepActivities, WaitActivities } from '../../activities/engine/step-activities.ts';
import { flowActivities } from '../../activities/flows.ts';
import { checkoutFlow as flow } from '../../workflows/checkout.flow.ts';
import { flows } from '../../workflows/flows.ts';
import type { uploadFlow } from '../../workflows/upload.flow.ts';

const step: StepActivities = { kind: 'step', step: async () => ({ result: null }), undo: undefined };
const wait: WaitActivities = { kind: 'wait', step: async () => ({ kind: 'closed' }), undo: undefined };
const paid = { reserve: step, openPayment: step, authorise: step, capture: step };
const sent = { verify: step, finalize: step, tidy: step, publish: step };

describe('the activities of a flow', () => {
  it('are those of its steps, or they do not compile', () => {
    // `npm run check:types` fails where one of these compiles.
    const of = stepsOf<typeof flow>();
    expect(Object.keys(of({ ...paid, complete: step }))).toHaveLength(5);
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

  it('are registered once, for each flow that has a story', () => {
    expect(flowActivities.map(({ flow }) => flow.name)).toEqual(flows.map(({ name }) => name));
    const twice = [...flowActivities, ...flowActivities.slice(0, 1)];
    expect(() => activitiesOf(twice, { database: {} } as never)).toThrow(
      'Flow checkout has its activities twice: drop one of the lines in activities/flows.ts.',
    );
    expect(Object.keys(createActivities({ database: {} } as never))).toContain('checkout.capture');
  });

  it('can do what the declaration promises, or no worker starts', () => {
    const stores = { database: {} } as never;
    const undo = async () => ({ result: null });
    const check = async () => null;
    const right = {
      reserve: { ...step, undo },
      openPayment: { ...step, undo, check },
      authorise: { ...step, check },
      capture: { ...step, check },
      complete: step,
    };
    const made = (steps: Record<string, StepActivities>) => () => activitiesOf([{ flow, steps: () => steps }], stores);
    expect(made(right)).not.toThrow();
    expect(made({ ...right, reserve: step })).toThrow(
      'Step checkout.reserve declares an undo of its own and has none: give its activities an `undo`',
    );
    expect(made({ ...right, capture: step })).toThrow('Step checkout.capture declares `resolvedAs` and has no `check`');
  });
});
