import type { Database } from '../database.ts';
import { type Delivery, deliveryOf } from './due-deliveries.ts';

/** How many webhooks of an endpoint are under way, by its id. As many as it may have: it is left alone. */
export type Busy = ReadonlyMap<string, number>;

const take = `
select id, fence, tries, due_ms, message_id, tenant, environment, channel, aggregate_id, operation_id, type, payload, occurred_at,
  may_have_left_by, may_have_left_ms, aggregate_type, sequence, cause, endpoint_id, url, disabled, deleted, secrets
from take_webhooks($1, $2, $3, $4, $5)`;

/**
 * @param forEach how many an endpoint may have under way
 * @param lease how long no other sender takes what this one takes. Milliseconds
 */
export async function takeWebhooks(
  database: Database,
  atMost: number,
  forEach: number,
  busy: Busy,
  lease: number,
): Promise<readonly Delivery[]> {
  const values = [atMost, forEach, [...busy.keys()], [...busy.values()], lease];
  const rows = await database.alone({ name: 'take_webhooks', text: take, values });
  return rows.map((row) => ({
    ...deliveryOf(row),
    webhook: {
      endpoint: row.endpoint_id as string,
      url: row.url as string,
      disabled: row.disabled as boolean,
      deleted: row.deleted as boolean,
      secrets: (row.secrets ?? []) as readonly string[],
      event: {
        aggregate: row.aggregate_type as string,
        sequence: Number(row.sequence),
        cause: row.cause as string | null,
      },
    },
  }));
}
