import { type SignaturesOf, stepsOf } from '../../../activities/engine/flow-activities.ts';
import { rowActivities } from '../../../activities/engine/row-step.ts';
import type { Registration } from '../../../activities/registration.ts';
import type { Stores } from '../../../activities/stores.ts';
import { sign, stamp } from './entry-steps.ts';
import { guestbookFlow } from './guestbook.flow.ts';

function steps({ database }: Stores) {
  return stepsOf<typeof guestbookFlow>()({
    sign: rowActivities(database, sign),
    stamp: rowActivities(database, stamp),
  });
}

export type GuestbookSteps = SignaturesOf<ReturnType<typeof steps>>;

export const guestbookActivities: readonly Registration[] = [{ flow: guestbookFlow, steps }];
