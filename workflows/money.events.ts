import { z } from 'zod';
import type { InboxEvent } from './operation/event.ts';

const id = z.string().min(1).max(255);

/** Stripe's event, as far as it says which money it is about. */
const moneyEvent = z.object({
  data: z.object({
    object: z.union([
      z.object({
        object: z.literal('charge'),
        payment_intent: id,
        /** null until money has moved, and where an authorisation ends without moving any. */
        balance_transaction: z.string(),
        /** The payment's own, as it was when the charge was made. */
        metadata: z.object({ tenant: z.string().optional() }),
      }),
      z.object({ object: z.literal('payout'), id }),
      // Their metadata are not the payment's: the look at the payment tells whose it is.
      z.object({ object: z.enum(['refund', 'dispute']), payment_intent: id }),
    ]),
  }),
});

/**
 * @returns undefined where no money of a payment has moved, or that of another tenant's payment: several may share an account
 */
export function moneyNews({ data, tenant }: InboxEvent): { payment: string } | { payout: string } | undefined {
  const { success, data: event } = moneyEvent.safeParse(data);
  if (!success) return undefined;
  const { object } = event.data;
  switch (object.object) {
    case 'charge':
      return object.metadata.tenant === tenant ? { payment: object.payment_intent } : undefined;
    case 'payout':
      return { payout: object.id };
    case 'refund':
    case 'dispute':
      return { payment: object.payment_intent };
  }
}
