import type { Money } from './orders.ts';
import type { OutsideStep } from './engine/outside-step.ts';
import type { PaymentProvider, RefundWish } from './stores/payments/payment-provider.ts';
import { Refused } from './stores/outcomes/refused.ts';
import { Unconfirmed } from './stores/outcomes/unconfirmed.ts';

type GiveBack = {
  /** The payment, by the provider's id. */
  readonly payment: string;
  readonly amount: Money;
  readonly refundId: string;
  readonly reason: string | undefined;
};
type GivenBack = { readonly refund: string };

/** Money that is held for a refund goes back to the buyer. It cannot be taken back again. */
export function giveBack(provider: PaymentProvider): OutsideStep<GiveBack, RefundWish, GivenBack> {
  return {
    request: ({ payment, amount, refundId, reason }) => ({ payment, amount: amount.minor, refund: refundId, reason }),
    send: async (wish, sending) => ({ refund: await provider.refund(wish, sending) }),
    async check({ refund }, { payment }, { operation, timeout }) {
      const found = await provider.findRefund(payment, operation, { timeout }).catch(notTaken);
      if (found === refund) return { refund };
      throw new Unconfirmed(
        found === undefined
          ? `The provider has no refund of this operation for ${payment}.`
          : `The refund of this operation is ${found}, not ${refund}.`,
      );
    },
  };
}

/** A refund that the bank did not take is none that a person could name. */
function notTaken(error: unknown): never {
  throw error instanceof Refused ? new Unconfirmed(error.refusal.detail) : error;
}
