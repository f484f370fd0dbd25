import type { Database } from '../database.ts';

/** One request that came for an operation, and which layer knew what to do with it. */
export type SeenRequest = {
  readonly tenant: string;
  readonly operation: string;
  readonly at: Date;
  readonly requestId: string;
  readonly decision: 'created' | 'joined' | 'replayed' | 'refused';
  readonly layer: 'memory' | 'process' | 'redis' | 'ledger';
  readonly userAgent: string | null;
  /** The kind of its client, in words of a short list. */
  readonly browser: string;
  readonly device: string;
  readonly network: string;
  readonly times: number;
};

const text = `
insert into arrival (tenant, operation_id, at, request_id, decision, layer, user_agent, browser, device, network, times)
select tenant, operation, at, "requestId", decision, layer, "userAgent", browser, device, network, times
from jsonb_to_recordset($1::jsonb) as arrived(tenant text, operation text, at timestamptz, "requestId" text,
  decision text, layer text, "userAgent" text, browser text, device text, network text, times integer)`;

export async function recordSeenRequests(database: Database, seen: readonly SeenRequest[]): Promise<void> {
  await database.flush(null, { name: 'record_seen_requests_of_clients', text, values: [JSON.stringify(seen)] });
}
