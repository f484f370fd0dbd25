/** What was asked for could not be done, or not all of it: says so in a sentence. The exit code is 1. */
export class NotDone extends Error {}
