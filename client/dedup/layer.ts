/** What a layer knows of an id. */
type Claimed =
  /** The asker holds the id, and runs. */
  | { readonly kind: 'ours'; readonly hold: Hold }
  | Answered
  /** Another holder is at work. */
  | { readonly kind: 'taken' };

export type Answered = {
  readonly kind: 'answered';
  /** As `once` wrote it. */
  readonly answer: string;
  /** For how long it is kept from now on. Milliseconds. */
  readonly left: number;
};

/** The right to run and to keep the answer, until another holder takes it over. */
export type Hold = {
  readonly token: string;
  /** Grows with each holder, so that a system downstream can turn a former one away. Redis and memory have none. */
  readonly fence?: string;
};

/** How long a holder may be silent, and how long its answer is kept. Milliseconds. */
export type Terms = { readonly lease: number; readonly window: number };

/**
 * A place that tells a duplicate from something new. Each method may fail; a failed `claim` is the caller's to know,
 * because nobody then knows whether the id is free.
 */
export type Layer = {
  /**
   * What keeps its ids apart from those of others, such as a tenant and a space; empty where nothing does. Faster
   * layers before it know an id by this place, so that they may serve several deciding layers.
   */
  readonly place: readonly string[];
  /** What becomes of an id whose holder has died: the next call runs, or nobody does until the window has passed. */
  readonly afterCrash: 'runs-again' | 'never-again';
  /** Finds a settled answer, and takes nothing. */
  readonly look: (id: string) => Promise<Answered | undefined>;
  /** Keeps a copy of an answer that another layer has decided. It never decides about the id itself. */
  readonly copy: (id: string, answer: string, left: number) => Promise<void>;
  readonly claim: (id: string, terms: Terms) => Promise<Claimed>;
  /** Says that the holder is alive. @returns false when another has taken over */
  readonly renew: (id: string, hold: Hold, terms: Terms) => Promise<boolean>;
  /** Keeps the answer. @returns false when another has taken over: then that one's answer counts */
  readonly settle: (id: string, hold: Hold, answer: string, window: number) => Promise<boolean>;
  /** Frees the id after a throw. */
  readonly release: (id: string, hold: Hold) => Promise<void>;
  /** Resolves when the id may have changed, at the latest after `atMost` milliseconds. */
  readonly changed: (id: string, atMost: number) => Promise<void>;
};

/** A layer with a connection of its own. */
export type ConnectedLayer = Layer & { readonly close: () => Promise<void> };
