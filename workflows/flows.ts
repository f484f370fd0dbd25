import { checkoutFlow } from './checkout.flow.ts';
import type { AnyFlow } from './operation/flow.ts';
import { uploadFlow } from './upload.flow.ts';

/** Every declared flow: doors, metrics, docs and the fault matrix go through this list. */
export const flows: readonly AnyFlow[] = [checkoutFlow, uploadFlow];

export function flowNamed(name: string): AnyFlow | undefined {
  return flows.find((flow) => flow.name === name);
}
