import type { Caller } from './caller.ts';

/** A person signs up once. Anybody gets such a token, and each sign-up costs a slow hash and a mail. */
const ofAnonymous = 10;

/** How many operations a caller may begin in a minute. @param usual that of a caller whom somebody has given a token */
export function mostNewOperations({ anonymous }: Caller, usual: number): number {
  return anonymous === true ? Math.min(ofAnonymous, usual) : usual;
}
