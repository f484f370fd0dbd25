/** The stories that Temporal registers, each under its flow's name. */
export { checkout } from './checkout.ts';
export { sentinel } from './sentinel.ts';
export { upload } from './upload.ts';

// The SDK takes a stack trace for each promise of a workflow, for the call stack in Temporal's UI. Three frames show where
// a story waits; ten, the default, cost a sixth of the workflow thread's time.
Error.stackTraceLimit = 3;
