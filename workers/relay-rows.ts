import type { EventRows } from '../activities/relay/by-broker.ts';
import type { Database } from '../activities/stores/postgres/database.ts';
import { recordPublished, refuseEvent, takeEvents } from '../activities/stores/postgres/outbox/due-events.ts';
import { dueShards, keepShards, leaveShards } from '../activities/stores/postgres/outbox/shard-leases.ts';
import { lease, type ShardLeases } from './relay-loop.ts';

/** The events of the outbox in PostgreSQL. */
export function eventRows(database: Database): EventRows {
  return {
    take: (shard, atMost) => takeEvents(database, shard, atMost),
    record: (shard, ids) => recordPublished(database, shard, ids),
    refuse: (shard, id, why) => refuseEvent(database, shard, id, why),
  };
}

/** @param me the relay, under a name that no other process ever has */
export function shardLeases(database: Database, me: string): ShardLeases {
  return {
    keep: () => keepShards(database, me, lease),
    leave: (numbers, goes) => leaveShards(database, me, numbers, goes),
    due: (numbers) => dueShards(database, numbers),
  };
}
