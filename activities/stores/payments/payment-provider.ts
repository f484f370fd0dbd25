import type { Sending, Undoing } from '../sending.ts';
import type { MoneyFact } from './money-fact.ts';
import type { Payment, PaymentOrigin } from './payment.ts';

/** What a call needs that only looks. */
export type Looking = { readonly timeout: number };

export type OpenWish = {
  /** Minor units. */
  readonly amount: number;
  /** Three letters in lower case. */
  readonly currency: string;
  /** Kept with the payment at the provider. */
  readonly metadata: PaymentOrigin;
};

/** How the buyer pays. */
export type Card = {
  /** By the provider's id; never a card number. */
  readonly paymentMethod: string;
  /** Where the buyer goes after the bank's page; undefined where nobody is there whom the bank could ask. */
  readonly returnUrl?: string | undefined;
};

export type RefundWish = {
  /** The payment, by the provider's id. */
  readonly payment: string;
  /** Minor units of the payment's currency. */
  readonly amount: number;
  /** Ours, for people who look at the provider. */
  readonly refund: string;
  readonly reason?: string | undefined;
};

/** What the buyer has to do next; `over`: the bank has decided. */
export type NextAction = { readonly type: 'redirect'; readonly url: string } | { readonly type: 'over' };

/**
 * A payment provider, as steps and the reconciler see it. A payment is opened, confirmed and captured in three calls, so
 * that the provider itself is a fence: opening moves nothing, and its id is in the ledger before a card is tried.
 *
 * What a call throws is what a step throws: Refused where the provider has said no, Throttled where nothing was done (so
 * never where only the look behind a call was turned away), EffectFree where the key is spent and nothing has happened, and anything else where nobody knows. Where a provider
 * forgets keys, or has none, the adapter looks before it repeats: `age` and `attempt` say that there was a call before.
 */
export type PaymentProvider = {
  /** Stands in rows, with the provider's ids. */
  readonly name: string;
  /** Opens a payment, which moves nothing. Repeatable under its key: a repeat gives the payment as it is now or was then. */
  open(wish: OpenWish, sending: Sending): Promise<Payment>;
  /** Has the bank hold the money, or ask the buyer. @returns the payment as it is afterwards, also where somebody else has changed it */
  confirm(payment: string, card: Card, sending: Sending): Promise<Payment>;
  /** Takes what the bank holds. @param amount minor units @returns the payment as it is afterwards, also where somebody else has changed it */
  capture(payment: string, amount: number, sending: Sending): Promise<Payment>;
  /** Ends a payment of which nothing was taken. @returns what has become of it: it may have been captured before */
  cancel(payment: string, undoing: Undoing): Promise<Payment>;
  /**
   * Gives back what is left of the captured amount. Somebody else may have given back a part.
   * @param captured minor units
   */
  giveAllBack(payment: string, captured: number, undoing: Undoing): Promise<void>;
  /** A consistent look at one payment. @returns undefined where the provider knows no such payment */
  look(payment: string, looking: Looking): Promise<Payment | undefined>;
  /** Asked each time: the address holds a secret of the buyer's. @returns undefined where a page cannot show it */
  nextAction(payment: string): Promise<NextAction | undefined>;
  /** @returns minor units that went back to the buyer or are on their way */
  givenBack(payment: string, looking: Looking): Promise<number>;
  /** Refunds a part of the captured amount. Repeatable under its key. @returns the refund's id at the provider */
  refund(wish: RefundWish, sending: Sending): Promise<string>;
  /** @returns the refund that this operation has made of the payment, if it has */
  findRefund(payment: string, operation: string, looking: Looking): Promise<string | undefined>;
  /**
   * What has become of a payment's money, by the provider's books as they are now.
   * @param tenant whose payment it has to be; undefined takes any tenant's
   * @returns undefined where it is not there, or not theirs
   */
  money(payment: string, tenant: string | undefined, looking: Looking): Promise<readonly MoneyFact[] | undefined>;
  /** What was paid to the bank account. The provider does not say for which tenant. */
  payout(payout: string, tenant: string, looking: Looking): Promise<readonly MoneyFact[]>;
  /**
   * The provider's own ledger, from its end back to a time, page by page.
   * @param from ISO 8601
   */
  movements(from: string, looking: Looking): AsyncIterable<readonly MoneyFact[]>;
};
