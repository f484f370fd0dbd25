import type { Refusal } from '../workflows/operation/outcome.ts';
import type { Row } from './stores/postgres/database.ts';

type SpokenOf = { readonly orderId: string; readonly paymentIntent: string };

/** Why nothing was done about an order that an event calls paid, from its row; undefined stands for no such order. */
export function unpaid(row: Row | undefined, { orderId, paymentIntent }: SpokenOf): Refusal {
  switch (row?.state as 'pending' | 'paid' | 'released' | 'cancelling' | 'cancelled' | undefined | null) {
    case undefined:
    case null:
      return { code: 'object-unknown', detail: `There is no order ${orderId}.` };
    case 'pending':
      return { code: 'order-pending', detail: `Order ${orderId} is still being paid.` };
    case 'released':
      return { code: 'order-not-paid', detail: `Order ${orderId} was released; look what became of ${paymentIntent}.` };
    case 'cancelling':
      return { code: 'order-pending', detail: `Order ${orderId} is being cancelled.` };
    case 'cancelled':
      return { code: 'order-not-paid', detail: `Order ${orderId} was cancelled: its money goes back.` };
    case 'paid':
      return row?.payment === paymentIntent
        ? { code: 'order-pending', detail: `Another event is acting on order ${orderId} at this moment.` }
        : {
            code: 'order-not-paid',
            detail: `Order ${orderId} was paid by ${String(row?.payment)}, not by ${paymentIntent}.`,
          };
  }
}
