import type { Refusal } from '../../../workflows/operation/outcome.ts';

/** A payment as its provider has it at the moment. */
export type Payment = {
  /** The provider's. */
  readonly id: string;
  /** Minor units. */
  readonly amount: number;
  /** Three letters in lower case. */
  readonly currency: string;
  /** Whether it is of real money. */
  readonly live: boolean;
  /** Whose it says that it is. */
  readonly origin: { readonly [Name in keyof PaymentOrigin]?: string | undefined };
  readonly state: PaymentState;
  /** The provider's own word for the state, for people. */
  readonly called: string;
};

/** What a payment is told when it is opened, so that it is found and known again. */
export type PaymentOrigin = { readonly operation: string; readonly tenant: string; readonly order: string };

export type PaymentState =
  /** No card has been tried, or nobody has heard how that ended. */
  | { readonly kind: 'open' }
  /** The bank has refused the card. Another one may be tried. */
  | { readonly kind: 'declined'; readonly refusal: Refusal }
  /** The bank asks the buyer to confirm it. */
  | { readonly kind: 'asking' }
  /** The bank holds the money for us. */
  | { readonly kind: 'authorised' }
  /** @member captured minor units */
  | { readonly kind: 'captured'; readonly captured: number }
  | { readonly kind: 'cancelled' };
