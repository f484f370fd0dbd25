/** A message as it was delivered. */
export type Delivered = {
  /** Where it lies, such as `HAPAX_EVENTS:4711`: the same on each delivery. */
  readonly place: string;
  readonly subject: string;
  readonly body: Uint8Array;
};

/** One delivery, which waits for an answer. */
export type Delivery = Delivered & {
  /** It is done, or ours: it is not delivered again. A lost acknowledgement costs one more look at its row. */
  ack(): void;
  /** It is to be delivered again, after so many milliseconds. */
  back(pause: number): void;
};

/** Where a consumer's messages come from. Each is delivered until it is acknowledged: at least once. */
export type MessageSource = {
  /** For people, such as `stream HAPAX_EVENTS`. */
  readonly called: string;
  /** For how long after it was sent a message may still be delivered. Milliseconds, or infinity. @throws where it is away */
  redeliversFor(): Promise<number>;
  /**
   * Waits for messages, and gives what is there: nothing after a second, or when the signal is aborted.
   * @throws where the source is away
   */
  take(atMost: number, signal: AbortSignal): Promise<readonly Delivery[]>;
  /** How many messages are still to be acknowledged. @throws where the source is away */
  lag(): Promise<number>;
  close(): Promise<void>;
};

/** The source answers, and has no such stream: nobody has published anything yet. */
export class StreamMissing extends Error {
  override readonly name = 'StreamMissing';
}
