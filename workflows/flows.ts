import { checkout } from './checkout.ts';
import { toldFlows } from './engine/told-flows.ts';
import { upload } from './upload.ts';

/** Every flow with its story. Temporal's workflows, routes, metrics, documents and the fault matrix follow from this list. */
export const operations = toldFlows(checkout, upload);

export const flows = operations.map(({ flow }) => flow);
