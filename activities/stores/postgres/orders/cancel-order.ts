import type { Statement } from '../database.ts';
import { type Made, madeRefund } from './made-refund.ts';

/**
 * Ends an order that is being cancelled: its items are for sale again, what its payment has set off is withdrawn, and its
 * refund is booked.
 */
const text = `
with cancelled as (
  update customer_order set state = 'cancelled', cancelled_at = now() where cancelled_by = $1 and state = 'cancelling'
  returning id, tenant, environment, payment_intent
), restocked as (
  update catalogue_item i set stock = i.stock + l.quantity
  from cancelled c join order_line l on l.order_id = c.id
  where i.tenant = c.tenant and i.environment = c.environment and i.sku = l.sku
), unsent as (
  update shipment s set withdrawn_at = now() from cancelled c where s.order_id = c.id and s.withdrawn_at is null
), uncredited as (
  update store_credit s set withdrawn_at = now() from cancelled c where s.order_id = c.id and s.withdrawn_at is null
), ${madeRefund}
select step_done($1, $4, null) as done from cancelled`;

/** @param object the refund by the provider's id; null where nothing was left to give back */
export function cancelOrder(operation: string, { provider, object }: Made<string | null>, step: string): Statement {
  return { name: 'cancel_order', text, values: [operation, provider, object, step] };
}
