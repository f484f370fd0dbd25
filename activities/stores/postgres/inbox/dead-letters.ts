import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database, Row } from '../database.ts';

/** Something that came to us and could not be handled, or that did not leave. */
export type DeadLetter = {
  readonly id: string;
  readonly state: 'parked' | 'dead';
  /** For a message: the channel by which it should leave, `event` for one that is to be published. */
  readonly handler: string;
  /** The source of an event, or `outbox` for a message of ours. */
  readonly source: string;
  /** The sender's id of the event, or the id of the message. */
  readonly event: string;
  readonly type: string;
  readonly object: string | null;
  /** What the handler began or joined, or what told the message. */
  readonly operation: string | null;
  readonly code: string;
  readonly detail: string;
  readonly tries: number;
  readonly receivedAt: Date;
  readonly changedAt: Date;
  /** When it is tried next; null for what is dead. */
  readonly nextAt: Date | null;
  readonly requestId: string;
  /** Where a webhook should go. */
  readonly endpoint: string | null;
};

type DeadLetterQuery = {
  readonly environment: Environment;
  readonly state: 'parked' | 'dead' | undefined;
  readonly source: string | undefined;
  readonly handler: string | undefined;
  readonly limit: number;
  readonly after: { readonly changedAt: string; readonly id: string } | undefined;
};

/** Each part takes no more than a page from its index. Milliseconds are all that a cursor carries, so they are the order. */
const list = `
select * from (
  (select h.id, h.state, h.handler, e.source, e.event, e.type, e.object, h.operation_id, h.code, h.detail, h.tries, e.received_at,
    h.changed_at, case when h.state = 'parked' then h.next_at end as next_at, e.request_id, null::text as endpoint_id
  from inbox_handling h join inbox_event e on e.id = h.event_id
  where h.tenant = $1 and e.environment = $2 and h.state in ('parked', 'dead')
    and ($3::text is null or h.state = $3) and ($4::text is null or e.source = $4) and ($5::text is null or h.handler = $5)
    and ($6::timestamptz is null or (date_trunc('milliseconds', h.changed_at), h.id) < ($6, $7))
  order by date_trunc('milliseconds', h.changed_at) desc, h.id desc limit $8)
  union all
  (select d.id, 'dead', d.channel, 'outbox', o.id, o.type, o.aggregate_id, o.operation_id, d.code, d.detail, d.tries, o.occurred_at,
    d.changed_at, null, o.cause, d.endpoint_id
  from delivery d join outbox o on o.id = d.message_id
  where d.tenant = $1 and o.environment = $2 and d.state = 'failed'
    and ($3::text is null or $3 = 'dead') and ($4::text is null or $4 = 'outbox') and ($5::text is null or d.channel = $5)
    and ($6::timestamptz is null or (date_trunc('milliseconds', d.changed_at), d.id) < ($6, $7))
  order by date_trunc('milliseconds', d.changed_at) desc, d.id desc limit $8)
  union all
  (select p.id, 'dead', 'event', 'outbox', o.id, o.type, o.aggregate_id, o.operation_id, p.code, p.detail, p.tries, o.occurred_at,
    p.changed_at, null, o.cause, null
  from publication p join outbox o on o.id = p.message_id
  where p.tenant = $1 and p.environment = $2 and p.state = 'failed'
    and ($3::text is null or $3 = 'dead') and ($4::text is null or $4 = 'outbox') and ($5::text is null or $5 = 'event')
    and ($6::timestamptz is null or (date_trunc('milliseconds', p.changed_at), p.id) < ($6, $7))
  order by date_trunc('milliseconds', p.changed_at) desc, p.id desc limit $8)
  union all
  (select c.id, c.state, c.consumer, c.source, c.message, coalesce(c.type, 'unknown'), c.aggregate, c.operation_id, c.code, c.detail,
    c.tries, c.received_at, c.changed_at, null, coalesce(c.cause, c.message), null
  from consumed c
  where c.tenant = $1 and c.environment = $2 and c.state in ('parked', 'dead')
    and ($3::text is null or c.state = $3) and ($4::text is null or c.source = $4) and ($5::text is null or c.consumer = $5)
    and ($6::timestamptz is null or (date_trunc('milliseconds', c.changed_at), c.id) < ($6, $7))
  order by date_trunc('milliseconds', c.changed_at) desc, c.id desc limit $8)
) letter
order by date_trunc('milliseconds', changed_at) desc, id desc limit $8`;

/** One page, the latest first. */
export async function deadLetters(
  database: Database,
  tenant: string,
  { environment, state, source, handler, limit, after }: DeadLetterQuery,
): Promise<readonly DeadLetter[]> {
  const values = [
    ...[tenant, environment, state ?? null, source ?? null, handler ?? null],
    ...[after?.changedAt ?? null, after?.id ?? null, limit],
  ];
  const [rows] = await database.flush(tenant, { name: 'dead_letters_of_all', text: list, values });
  return (rows ?? []).map(letterOf);
}

const replay = `
select id from replay_handling($1, $2)
union all select id from replay_delivery($1, $2)
union all select id from replay_publication($1, $2)
union all select id from replay_consumed($1, $2)`;

/** Has it tried again, under the same ids. @returns false where there is no such letter, or it is no letter any more */
export async function replayDeadLetter(
  database: Database,
  tenant: string,
  environment: Environment,
  id: string,
): Promise<boolean> {
  const [rows] = await database.flush(tenant, {
    name: 'replay_any_dead_letter',
    text: replay,
    values: [id, environment],
  });
  return rows?.length === 1;
}

const known = `
select h.state from inbox_handling h join inbox_event e on e.id = h.event_id where h.id = $1 and e.environment = $2
union all
select case when d.state in ('due', 'sending') then 'due' when d.state = 'failed' then 'dead' else 'done' end
from delivery d join outbox o on o.id = d.message_id where d.id = $1 and o.environment = $2
union all
select case p.state when 'published' then 'done' when 'failed' then 'dead' else p.state end
from publication p where p.message_id = 'msg_' || substr($1, 4) and p.environment = $2
union all
select case c.state when 'waiting' then 'due' when 'stale' then 'done' else c.state end
from consumed c where c.id = $1 and c.environment = $2`;

type LetterState = 'due' | 'parked' | 'done' | 'dead';

/** @returns undefined where nothing has that id */
export async function letterState(
  database: Database,
  tenant: string,
  environment: Environment,
  id: string,
): Promise<LetterState | undefined> {
  const [rows] = await database.flush(tenant, { name: 'letter_state_of_all', text: known, values: [id, environment] });
  return rows?.[0]?.state as LetterState | undefined;
}

function letterOf(row: Row): DeadLetter {
  return {
    id: row.id as string,
    state: row.state as DeadLetter['state'],
    handler: row.handler as string,
    source: row.source as string,
    event: row.event as string,
    type: row.type as string,
    object: row.object as string | null,
    operation: row.operation_id as string | null,
    code: row.code as string,
    detail: row.detail as string,
    tries: row.tries as number,
    receivedAt: row.received_at as Date,
    changedAt: row.changed_at as Date,
    nextAt: row.next_at as Date | null,
    requestId: row.request_id as string,
    endpoint: row.endpoint_id as string | null,
  };
}
