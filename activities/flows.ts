import { checkoutFlow } from '../workflows/checkout.flow.ts';
import { uploadFlow } from '../workflows/upload.flow.ts';
import { checkoutSteps } from './checkout.ts';
import type { FlowActivities } from './engine/flow-activities.ts';
import type { Stores } from './stores.ts';
import { uploadSteps } from './upload.ts';

/** How each flow's steps are done. A flow adds its line here, and to workflows/flows.ts. */
export const flowActivities: readonly FlowActivities<Stores>[] = [
  { flow: checkoutFlow, steps: checkoutSteps },
  { flow: uploadFlow, steps: uploadSteps },
];
