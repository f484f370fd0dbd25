import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database, Row } from '../database.ts';

/** Something that came to us and could not be handled. */
export type DeadLetter = {
  readonly id: string;
  readonly state: 'parked' | 'dead';
  readonly handler: string;
  readonly source: string;
  /** The sender's id of the event. */
  readonly event: string;
  readonly type: string;
  readonly object: string | null;
  readonly code: string;
  readonly detail: string;
  readonly tries: number;
  readonly receivedAt: Date;
  readonly changedAt: Date;
  /** When it is tried next; null for what is dead. */
  readonly nextAt: Date | null;
  readonly requestId: string;
};

type DeadLetterQuery = {
  readonly environment: Environment;
  readonly state: 'parked' | 'dead' | undefined;
  readonly source: string | undefined;
  readonly handler: string | undefined;
  readonly limit: number;
  readonly after: { readonly changedAt: string; readonly id: string } | undefined;
};

const columns = `
h.id, h.state, h.handler, e.source, e.event, e.type, e.object, h.code, h.detail, h.tries, e.received_at, h.changed_at,
case when h.state = 'parked' then h.next_at end as next_at, e.request_id`;

/** Milliseconds are all that a cursor carries, so that they are what the order goes by. */
const list = `
select ${columns}
from inbox_handling h join inbox_event e on e.id = h.event_id
where h.tenant = $1 and e.environment = $2 and h.state in ('parked', 'dead')
  and ($3::text is null or h.state = $3) and ($4::text is null or e.source = $4) and ($5::text is null or h.handler = $5)
  and ($6::timestamptz is null or (date_trunc('milliseconds', h.changed_at), h.id) < ($6, $7))
order by date_trunc('milliseconds', h.changed_at) desc, h.id desc limit $8`;

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
  const [rows] = await database.flush(tenant, { name: 'dead_letters', text: list, values });
  return (rows ?? []).map(letterOf);
}

const replay = 'select id from replay_handling($1, $2)';

/** Has it tried again, under the same ids. @returns false where there is no such letter, or it is no letter any more */
export async function replayDeadLetter(
  database: Database,
  tenant: string,
  environment: Environment,
  id: string,
): Promise<boolean> {
  const [rows] = await database.flush(tenant, { name: 'replay_handling', text: replay, values: [id, environment] });
  return rows?.length === 1;
}

const known = `
select h.state from inbox_handling h join inbox_event e on e.id = h.event_id where h.id = $1 and e.environment = $2`;

/** @returns undefined where nothing has that id */
export async function handlingState(
  database: Database,
  tenant: string,
  environment: Environment,
  id: string,
): Promise<'due' | 'parked' | 'done' | 'dead' | undefined> {
  const [rows] = await database.flush(tenant, { name: 'handling_state', text: known, values: [id, environment] });
  return rows?.[0]?.state as 'due' | 'parked' | 'done' | 'dead' | undefined;
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
    code: row.code as string,
    detail: row.detail as string,
    tries: row.tries as number,
    receivedAt: row.received_at as Date,
    changedAt: row.changed_at as Date,
    nextAt: row.next_at as Date | null,
    requestId: row.request_id as string,
  };
}
