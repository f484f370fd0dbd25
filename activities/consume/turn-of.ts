/** In which order the messages of one aggregate are consumed. */
export type Order =
  /** As they come. For effects that give the same in any order, such as sums. */
  | 'any'
  /** By their sequence. One that is older than the last one done is stale: for effects that keep the latest state. */
  | { readonly by: 'sequence'; readonly gap: 'skip' }
  /** By their sequence, without a gap: a message waits until the one before it is done. */
  | {
      readonly by: 'sequence';
      readonly gap: 'wait';
      /** For how long it waits. Milliseconds. */
      readonly patience: number;
      /** Then it is held until a person replays it, or goes on without what is missing. */
      readonly after: 'hold' | 'skip';
    };

/** An order by sequence. */
export type Sequenced = Exclude<Order, 'any'>;

/**
 * A message that is further ahead is none of this order: a sender that counts something else, or an attack that fills the buffer.
 * It is more than an aggregate tells in a day at one message a second.
 */
export const furthestAhead = 100_000;

/** What is to be done about a message now, by its sequence and the last one that was done. */
type Turn = 'run' | 'wait' | 'stale' | 'too-far';

/** @param overGap whether it goes on without what is missing before it */
export function turnOf(order: Sequenced, done: number, sequence: number, overGap: boolean): Turn {
  if (sequence <= done) return 'stale';
  if (sequence - done > furthestAhead) return 'too-far';
  return order.gap === 'skip' || sequence === done + 1 || overGap ? 'run' : 'wait';
}
