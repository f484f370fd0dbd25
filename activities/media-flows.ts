import { uploadFlow } from '../workflows/upload.flow.ts';
import type { FlowActivities } from './engine/flow-activities.ts';
import type { MediaStores } from './stores.ts';
import { uploadMedia } from './upload-media.ts';

/** What the media worker does, by flow. */
export const mediaFlowActivities: readonly FlowActivities<MediaStores>[] = [{ flow: uploadFlow, steps: uploadMedia }];
