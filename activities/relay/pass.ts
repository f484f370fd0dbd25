import type { Shard } from '../stores/postgres/outbox/due-events.ts';

/** What one look at a shard has come to. */
export type Passed =
  /** `more`: there may be more to publish. */
  | { readonly state: 'done'; readonly more: boolean }
  /** Another relay has taken the shard. */
  | { readonly state: 'lost' }
  /** The broker gives no answers. */
  | { readonly state: 'away'; readonly detail: string };

/** A way on which events leave: by a broker, or by the ledger's own log. */
export type Way = {
  /** As a log and a person call it. */
  readonly called: string;
  /**
   * Whether events can leave now. Asked at the start, and after each time that they could not.
   * @throws why not
   */
  readonly prove: () => Promise<void>;
  /**
   * Publishes the next events of a shard.
   * @param holds whether the lease still counts; nothing is begun after that
   */
  readonly pass: (shard: Shard, holds: () => boolean) => Promise<Passed>;
};
