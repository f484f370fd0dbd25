import type { Statement } from '../database.ts';

/** Gives stock and cart back. It happens once, since only a pending order is released. */
const text = `
with released as (
  update customer_order set state = 'released' where operation_id = $1 and state = 'pending'
  returning id, tenant, environment
)
update catalogue_item i set stock = i.stock + l.quantity
from released r join order_line l on l.order_id = r.id
where i.tenant = r.tenant and i.environment = r.environment and i.sku = l.sku`;

export function releaseOrder(operation: string): Statement {
  return { name: 'release_order', text, values: [operation] };
}
