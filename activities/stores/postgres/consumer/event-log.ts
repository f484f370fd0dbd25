import type { Database } from '../database.ts';
import type { OutboxEvent } from '../outbox/due-events.ts';

/** A shard of the log of published events, which one process reads for a consumer. */
export type LogShard = {
  readonly number: number;
  readonly fence: bigint;
  /** Of the last event that is consumed. */
  readonly position: bigint;
};

/** What is published, with its place in the log. */
export type LoggedEvent = OutboxEvent & { readonly position: bigint };

const begin = `
insert into consumer_shard (consumer, shard) select $1, generate_series(0, 15)
on conflict do nothing`;

/** Has the consumer read every shard, from the log's beginning. */
export async function beginLog(database: Database, consumer: string): Promise<void> {
  await database.alone({ name: 'begin_log', text: begin, values: [consumer] });
}

const take = `
update consumer_shard s set fence = s.fence + 1, until = clock_timestamp() + $2 * interval '1 millisecond'
where (s.consumer, s.shard) = (
  select f.consumer, f.shard from consumer_shard f join relay_shard r on r.shard = f.shard
  where f.consumer = $1 and f.until <= clock_timestamp() and r.position > f.position
  order by f.until limit 1 for update of f skip locked)
returning s.shard, s.fence, s.position`;

/** Leases a shard that has something new. @returns undefined where none has, or others read them */
export async function takeLogShard(database: Database, consumer: string, lease: number): Promise<LogShard | undefined> {
  const [row] = await database.alone({ name: 'take_log_shard', text: take, values: [consumer, lease] });
  if (row === undefined) return undefined;
  return {
    number: row.shard as number,
    fence: BigInt(row.fence as string),
    position: BigInt(row.position as string),
  };
}

const read = `
select position, id, tenant, environment, aggregate_type, aggregate_id, sequence, type, operation_id, cause, payload, occurred_at
from event_log where shard = $1 and position > $2 order by position limit $3`;

/** The next events of a shard, in the order in which they were published. */
export async function readLog(
  database: Database,
  { number, position }: LogShard,
  atMost: number,
): Promise<readonly LoggedEvent[]> {
  const rows = await database.alone({ name: 'read_log', text: read, values: [number, position, atMost] });
  return rows.map((row) => ({
    position: BigInt(row.position as string),
    id: row.id as string,
    tenant: row.tenant as string,
    environment: row.environment as OutboxEvent['environment'],
    aggregateType: row.aggregate_type as string,
    aggregate: row.aggregate_id as string,
    sequence: BigInt(row.sequence as string),
    type: row.type as string,
    operation: row.operation_id as string,
    cause: row.cause as string | null,
    payload: row.payload,
    occurredAt: row.occurred_at as Date,
  }));
}

const leave = `
update consumer_shard set position = greatest(position, $4), until = clock_timestamp() + $5 * interval '1 millisecond'
where consumer = $1 and shard = $2 and fence = $3`;

/** Gives a shard back, with how far it is consumed. Nothing changes where another process has it by now. */
export async function leaveLogShard(
  database: Database,
  consumer: string,
  { number, fence }: LogShard,
  consumed: bigint,
  pause: number,
): Promise<void> {
  const values = [consumer, number, fence, consumed, pause];
  await database.alone({ name: 'leave_log_shard', text: leave, values });
}

const behind = `
select coalesce(sum(r.position - s.position), 0)::integer as behind from consumer_shard s join relay_shard r on r.shard = s.shard
where s.consumer = $1`;

/** How many published events the consumer has not read. */
export async function behindLog(database: Database, consumer: string): Promise<number> {
  const [row] = await database.alone({ name: 'behind_log', text: behind, values: [consumer] });
  return (row?.behind as number | undefined) ?? 0;
}
