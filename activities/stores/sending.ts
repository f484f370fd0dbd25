import type { About } from './about.ts';

/** What a call of an outside system needs besides the request. */
export type Sending = About & {
  /** The downstream key: the same for every try of this epoch. */
  readonly key: string;
  /**
   * Since the first try with this key, in milliseconds; 0 for the first. After the system's window a key proves
   * nothing.
   */
  readonly age: number;
  readonly attempt: number;
  /** The try is cut after this many milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal;
};

/** What an undo needs: its own key, and the key with which the step was last sent. */
export type Undoing = Sending & { readonly stepKey: string };
