import type { Database } from '../activities/stores/postgres/database.ts';
import {
  beginSending,
  endSending,
  keepDeliveries,
  takeDeliveries,
} from '../activities/stores/postgres/outbox/due-deliveries.ts';
import { takeWebhooks } from '../activities/stores/postgres/outbox/due-webhooks.ts';
import { type DeliveryRows, lease } from './delivery-loop.ts';

/** The rows of the outbox in PostgreSQL. */
export function deliveryRows(database: Database): DeliveryRows {
  return {
    take: (channels, atMost) => takeDeliveries(database, channels, atMost, lease),
    keep: (held) => keepDeliveries(database, held, lease),
    begin: (delivery, by) => beginSending(database, delivery, by, lease),
    end: (delivery, became) => endSending(database, delivery, became),
  };
}

/**
 * The rows of webhooks, of which each endpoint has its share.
 * @param forEach how many may go to one endpoint at once
 */
export function webhookRows(database: Database, forEach: number): DeliveryRows {
  return {
    ...deliveryRows(database),
    take: (_channels, atMost, busy) => takeWebhooks(database, atMost, forEach, busy, lease),
  };
}
