import { operations } from './flows.ts';
import { dispatch } from './temporal/dispatch.ts';

export { sentinel } from './temporal/sentinel.ts';

/** What Temporal runs where no workflow has the name that is asked for: the flows. */
export default dispatch(operations);

// The SDK takes a stack trace for each promise of a workflow, for the call stack in Temporal's UI. Three frames show where
// a story waits; ten, the default, cost a sixth of the workflow thread's time.
Error.stackTraceLimit = 3;
