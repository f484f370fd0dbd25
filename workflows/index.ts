import { operations } from './flows.ts';
import { dispatch } from './temporal/dispatch.ts';

export { reconcile } from './temporal/reconcile.ts';
export { sentinel } from './temporal/sentinel.ts';

/** Temporal runs this for every workflow name that has no export of its own: the flows. */
export default dispatch(operations);

// The SDK takes a stack trace for each promise of a workflow, for the call stack in Temporal's UI. Three frames show where
// a story waits; ten, the default, cost a sixth of the workflow thread's time.
Error.stackTraceLimit = 3;
