import type { About } from './about.ts';

/** What an outside system is given besides the request. */
export type Sending = About & {
  /** The downstream key: the same for every try of this epoch. */
  readonly key: string;
  /** Since the first try with this key, in milliseconds; 0 for the first. Past the system's window a key proves nothing. */
  readonly age: number;
  readonly attempt: number;
  /** The try is cut after this many milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal;
};

/** What an undo is given: its own key, and the one that the step was last sent with. */
export type Undoing = Sending & { readonly stepKey: string };
