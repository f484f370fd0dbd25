import { type SignaturesOf, stepsOf } from '../../../activities/engine/flow-activities.ts';
import { outsideActivities } from '../../../activities/engine/outside-step.ts';
import { rowActivities } from '../../../activities/engine/row-step.ts';
import type { Registration } from '../../../activities/registration.ts';
import type { MediaStores } from '../../../activities/stores.ts';
import { letterFlow } from './letter.flow.ts';
import type { OwnClients } from './letter-shop.ts';
import { enter, post } from './letter-steps.ts';

function steps({ database, letterShop }: MediaStores & OwnClients) {
  return stepsOf<typeof letterFlow>()({
    post: outsideActivities(database, post({ letterShop })),
    enter: rowActivities(database, enter),
  });
}

export type LetterSteps = SignaturesOf<ReturnType<typeof steps>>;

export const letterActivities: readonly Registration<MediaStores & OwnClients>[] = [{ flow: letterFlow, steps }];
