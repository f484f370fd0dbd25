import { z } from 'zod';
import type { InboxEvent } from './operation/event.ts';

/** Stripe's event, as far as we read it. Its object is a PaymentIntent that we have opened, or somebody else's. */
const paymentEvent = z.object({
  data: z.object({
    object: z.object({
      id: z.string(),
      object: z.literal('payment_intent'),
      metadata: z.object({ operation: z.string(), tenant: z.string(), order: z.string() }),
    }),
  }),
});

type PaymentNews = { readonly paymentIntent: string; readonly operation: string; readonly order: string };

/** @returns undefined for a payment that is not this tenant's, or not ours at all: several may share an account */
export function paymentOf({ data, tenant }: InboxEvent): PaymentNews | undefined {
  const { success, data: event } = paymentEvent.safeParse(data);
  if (!success || event.data.object.metadata.tenant !== tenant) return undefined;
  const { id, metadata } = event.data.object;
  return { paymentIntent: id, operation: metadata.operation, order: metadata.order };
}
