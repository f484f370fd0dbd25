import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database } from '../database.ts';

/** An event as a step has told it. */
export type OutboxEvent = {
  readonly id: string;
  readonly tenant: string;
  readonly environment: Environment;
  readonly aggregateType: string;
  /** The id of what it is about. */
  readonly aggregate: string;
  /** Within the aggregate, from one and without a gap. */
  readonly sequence: bigint;
  readonly type: string;
  readonly operation: string;
  readonly cause: string | null;
  readonly payload: unknown;
  readonly occurredAt: Date;
};

/** An event that is to be published. */
export type DueEvent = OutboxEvent & {
  /** Since the broker may first have got it. Milliseconds; undefined where it is given out for the first time. */
  readonly triedFor: number | undefined;
};

/** A part of the events, with the fence under which a relay holds it. */
export type Shard = { readonly number: number; readonly fence: bigint };

/** Why a broker has refused an event for good. */
export type Refusal = { readonly code: string; readonly detail: string };

const take = `
select id, tenant, environment, aggregate_type, aggregate_id, sequence, type, operation_id, cause, payload, occurred_at, tried_ms
from take_publications($1, $2, $3)`;

/** The next events of a shard, those of an aggregate in their order. Nothing where another relay has taken it. */
export async function takeEvents(database: Database, shard: Shard, atMost: number): Promise<readonly DueEvent[]> {
  const values = [shard.number, shard.fence, atMost];
  const rows = await database.alone({ name: 'take_publications', text: take, values });
  return rows.map((row) => ({
    id: row.id as string,
    tenant: row.tenant as string,
    environment: row.environment as Environment,
    aggregateType: row.aggregate_type as string,
    aggregate: row.aggregate_id as string,
    sequence: BigInt(row.sequence as string),
    type: row.type as string,
    operation: row.operation_id as string,
    cause: row.cause as string | null,
    payload: row.payload,
    occurredAt: row.occurred_at as Date,
    triedFor: row.tried_ms === null ? undefined : Number(row.tried_ms),
  }));
}

/**
 * Records that events are published, each at the next position of its shard's log.
 * @returns how many that are; undefined where another relay has taken the shard
 */
export async function recordPublished(
  database: Database,
  shard: Shard,
  ids: readonly string[],
): Promise<number | undefined> {
  const [row] = await database.alone({
    name: 'record_published',
    text: 'select record_published($1, $2, $3) as count',
    values: [shard.number, shard.fence, ids],
  });
  return (row?.count as number | null) ?? undefined;
}

/**
 * Puts the next events of a shard into its log, where they are read without a broker.
 * @returns how many; undefined where another relay has taken the shard
 */
export async function publishHere(database: Database, shard: Shard, atMost: number): Promise<number | undefined> {
  const [row] = await database.alone({
    name: 'publish_here',
    text: 'select publish_here($1, $2, $3) as count',
    values: [shard.number, shard.fence, atMost],
  });
  return (row?.count as number | null) ?? undefined;
}

/**
 * Makes an event a dead letter, behind which the later ones of its aggregate wait.
 * @returns false where another relay has taken the shard
 */
export async function refuseEvent(
  database: Database,
  shard: Shard,
  id: string,
  { code, detail }: Refusal,
): Promise<boolean> {
  const [row] = await database.alone({
    name: 'refuse_publication',
    text: 'select refuse_publication($1, $2, $3, $4, $5) as refused',
    values: [shard.number, shard.fence, id, code, detail],
  });
  return row?.refused === true;
}
