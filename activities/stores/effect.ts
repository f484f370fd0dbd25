import type { Environment } from '../../workflows/operation/key.ts';
import type { Ending } from '../../workflows/operation/call.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';

/** What every step may know of where it runs. */
export type About = {
  readonly operation: string;
  readonly tenant: string;
  readonly environment: Environment;
};

/** What an effect of our own rows is told: `step` is the name under which its statement records itself. */
export type Recording = About & { readonly step: string };

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

/** The outside has definitively said no. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

/** The downstream key is spent, and it is proven that it had no effect: the ledger may give out a new one. */
export class EffectFree extends Error {
  override readonly name = 'EffectFree';
}

/** Turned away before anything was done, such as by a limit on requests. */
export class Throttled extends Error {
  override readonly name = 'Throttled';
  /** How long the outside asks us to wait; undefined where it says nothing of use. Milliseconds. */
  readonly wait: number | undefined;
  constructor(message: string, wait: number | undefined) {
    super(message);
    this.wait = wait;
  }
}

/** What a person has said of a step does not hold. The message is for people. */
export class Unconfirmed extends Error {
  override readonly name = 'Unconfirmed';
}

/** A person has found that the step had no effect, and the ledger has followed: it is not tried any more. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly ending: Ending;
  constructor(ending: Ending) {
    super(ending.refusal.detail);
    this.ending = ending;
  }
}

/** Sent and not answered, or answered in a way that proves nothing. */
export class Doubtful extends Error {
  override readonly name = 'Doubtful';
}
