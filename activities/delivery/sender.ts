/** Hands messages of one kind over to a system that delivers them. */
export type Sender<Message> = {
  /** As sentences call the system, such as `the mail server`. */
  readonly called: string;
  /** Which system it is, as rows say it: another one does not know what this one has taken. Without credentials. */
  readonly place: string;
  /**
   * For how long the system knows an id that it has taken, and does not take it twice. 0: what may have left is sent a second time,
   * or not at all. Milliseconds.
   */
  readonly knowsIdsFor: number;
  /** The longest that one handing over may take. Milliseconds. */
  readonly longestSend: number;
  /**
   * Resolves when the system has taken the message.
   * @throws Refused where it has definitively said no to this message
   * @throws Throttled where it said no for now, before it took anything
   * @throws anything else where there is no clear answer
   */
  send(message: Message, handing: Handing): Promise<void>;
};

export type Handing = {
  /**
   * Awaited as late as possible, right before the system could take the message. The message is not sent if this throws, and has
   * not left if it was not called.
   */
  readonly handOver: () => Promise<void>;
  /** Aborted when the time is over, and when another sender has the message. */
  readonly signal: AbortSignal;
};
