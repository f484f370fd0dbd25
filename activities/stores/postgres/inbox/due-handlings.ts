import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database } from '../database.ts';

/** What a handler has to do about one event. */
export type Handling = {
  readonly id: string;
  readonly fence: bigint;
  readonly handler: string;
  readonly state: 'due' | 'parked';
  /** This one included. */
  readonly tries: number;
  /** Since its first try, or its first one after a replay. Milliseconds. */
  readonly dueFor: number;
  readonly event: {
    readonly id: string;
    readonly source: string;
    readonly tenant: string;
    readonly environment: Environment;
    readonly type: string;
    readonly object: string | null;
    readonly body: Buffer;
    readonly requestId: string;
  };
};

/** What has become of it. */
export type Handled =
  | { readonly state: 'done'; readonly operation: string | null }
  /** Tried again after the pause. Milliseconds. */
  | {
      readonly state: 'due' | 'parked';
      readonly code: string;
      readonly detail: string;
      readonly pause: number;
    }
  /** A person has to look at it. */
  | { readonly state: 'dead'; readonly code: string; readonly detail: string };

const take = `
select id, fence, handler, state, tries, due_ms, tenant, environment, source, event, type, object, body, request_id
from take_handlings($1, $2)`;

/** @param lease how long nobody else takes what this takes. Milliseconds */
export async function takeHandlings(database: Database, atMost: number, lease: number): Promise<readonly Handling[]> {
  const rows = await database.alone({ name: 'take_handlings', text: take, values: [atMost, lease] });
  return rows.map((row) => ({
    id: row.id as string,
    fence: BigInt(row.fence as string),
    handler: row.handler as string,
    state: row.state as Handling['state'],
    tries: row.tries as number,
    dueFor: Number(row.due_ms),
    event: {
      id: row.event as string,
      source: row.source as string,
      tenant: row.tenant as string,
      environment: row.environment as Environment,
      type: row.type as string,
      object: row.object as string | null,
      body: row.body as Buffer,
      requestId: row.request_id as string,
    },
  }));
}

const end = 'select end_handling($1, $2, $3, $4, $5, $6, $7)';

/** Writes what has become of it, unless somebody else has taken it since. */
export async function endHandling(database: Database, { id, fence }: Handling, handled: Handled): Promise<void> {
  const operation = handled.state === 'done' ? handled.operation : null;
  const [code, detail] = handled.state === 'done' ? [null, null] : [handled.code, handled.detail];
  const pause = 'pause' in handled ? handled.pause : 0;
  await database.alone({
    name: 'end_handling',
    text: end,
    values: [id, fence, handled.state, operation, code, detail, pause],
  });
}

/** Most of the table is done. Each of the two parts has an index without that. */
const count = `
select handler, state, count(*)::integer as count from inbox_handling where state in ('due', 'parked') group by 1, 2
union all
select handler, state, count(*)::integer from inbox_handling where state = 'dead' group by 1, 2`;

/** What is not done, by handler and state. */
export async function countHandlings(
  database: Database,
): Promise<readonly { readonly handler: string; readonly state: string; readonly count: number }[]> {
  const rows = await database.alone({ name: 'count_handlings', text: count, values: [] });
  return rows as unknown as readonly { handler: string; state: string; count: number }[];
}

const outlived = `
delete from inbox_event e where e.id in (
  select o.id from inbox_event o
  where o.forget_after <= now()
    and (o.received_at <= now() - interval '360 days'
      or not exists (select from inbox_handling h where h.event_id = o.id and h.state <> 'done'))
  order by o.forget_after limit $1)
returning e.id`;

/**
 * Forgets a batch of events that their senders no longer repeat. Events that still wait for a person are kept for a year.
 * After that the keys of their handlers' operations may be forgotten, and a replay could run them twice.
 */
export async function forgetEvents(database: Database, limit: number): Promise<number> {
  return (await database.alone({ name: 'forget_events', text: outlived, values: [limit] })).length;
}
