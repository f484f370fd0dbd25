/** One thing that the provider has done, by its own book. */
export type Effect = {
  /** In the words of the sandbox's book, such as `refund.created`. */
  readonly type: string;
  /** Minor units. */
  readonly amount: number;
  /** The operation behind it; null where somebody at the provider has done it. */
  readonly operation: string | null;
  readonly paymentIntent: string;
};
