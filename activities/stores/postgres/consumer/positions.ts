import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Row, Statement } from '../database.ts';
import { inTenant, type MessageKey } from './message-key.ts';

/** What a sender numbers its messages by. */
export type Aggregate = {
  readonly environment: Environment;
  readonly source: string;
  readonly aggregate: string;
};

/** An aggregate's name within its tenant, for a map. */
export function aggregateName({ environment, source, aggregate }: Aggregate): string {
  return JSON.stringify([environment, source, aggregate]);
}

/** The update changes nothing: it locks the rows that are there, in the order of their names. */
const lock = `
insert into consumer_position (tenant, environment, consumer, source, aggregate)
select distinct current_tenant(), a.environment, $1, a.source, a.aggregate
from unnest($2::text[], $3::text[], $4::text[]) a (environment, source, aggregate)
order by 2, 4, 5
on conflict (tenant, environment, consumer, source, aggregate) do update set done = consumer_position.done
returning environment, source, aggregate, done`;

/** Locks how far the consumer has come with each aggregate, until the transaction ends. */
export function lockPositions(consumer: string, aggregates: readonly Aggregate[]): Statement {
  return { name: 'lock_positions', text: lock, values: [consumer, ...columns(aggregates)] };
}

/** @returns the sequences that were done last, by the aggregates' names */
export function positionsOf(rows: readonly Row[]): Map<string, number> {
  return new Map(rows.map((row) => [aggregateName(row as unknown as Aggregate), Number(row.done)]));
}

const known = `
select c.environment, c.source, c.message from consumed c
join unnest($2::text[], $3::text[], $4::text[]) m (environment, source, message)
  on (c.environment, c.source, c.message) = (m.environment, m.source, m.message)
where c.tenant = current_tenant() and c.consumer = $1`;

/** Looks which messages have a row already. Sent behind the lock of their positions, so that nobody else is placing them. */
export function knownMessages(consumer: string, keys: readonly MessageKey[]): Statement {
  const values = (['environment', 'source', 'message'] as const).map((part) => keys.map((key) => key[part]));
  return { name: 'known_messages', text: known, values: [consumer, ...values] };
}

/** @returns the names of those that have a row */
export function knownOf(rows: readonly Row[]): ReadonlySet<string> {
  return new Set(rows.map((row) => inTenant(row as unknown as MessageKey)));
}

const advance = `
update consumer_position p set done = a.done
from unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) a (environment, source, aggregate, done)
where (p.tenant, p.environment, p.consumer, p.source, p.aggregate)
  = (current_tenant(), a.environment, $1, a.source, a.aggregate)`;

/** What waits next, if its turn has come: the sequence behind the last one, one that goes over a gap, or one that is stale now. */
const wake = `
update consumed c set state = 'due', next_at = now(), changed_at = now(), tries = 0
from unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) a (environment, source, aggregate, done),
  lateral (
    select h.id from consumed h
    where (h.tenant, h.environment, h.consumer, h.source, h.aggregate)
        = (current_tenant(), a.environment, $1, a.source, a.aggregate)
      and h.state in ('waiting', 'parked')
    order by h.sequence limit 1) next
where c.id = next.id and c.state in ('waiting', 'parked') and (c.sequence <= a.done + 1 or c.over_gap)
returning c.id`;

type Moved = Aggregate & { readonly done: number };

/** Records how far the consumer has come, and wakes what waited for that. */
export function advancePositions(consumer: string, moved: readonly Moved[]): readonly [Statement, Statement] {
  const values = [consumer, ...columns(moved), moved.map(({ done }) => done)];
  return [
    { name: 'advance_positions', text: advance, values },
    { name: 'wake_waiting', text: wake, values },
  ];
}

function columns(aggregates: readonly Aggregate[]): string[][] {
  return (['environment', 'source', 'aggregate'] as const).map((part) => aggregates.map((one) => one[part]));
}
