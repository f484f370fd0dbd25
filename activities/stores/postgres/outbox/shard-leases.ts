import type { Database } from '../database.ts';
import type { Shard } from './due-events.ts';

/** What a relay holds, and how many shards are its share beside the others that are at work. */
export type Leases = { readonly shards: readonly Shard[]; readonly share: number };

/**
 * Renews a relay's leases, and takes free shards up to its share.
 * @param me the relay, under a name that no other process ever has
 * @param lease for how long nobody else takes them. Milliseconds
 */
export async function keepShards(database: Database, me: string, lease: number): Promise<Leases> {
  const rows = await database.alone({
    name: 'keep_shards',
    text: 'select shard, fence, share from keep_shards($1, $2)',
    values: [me, lease],
  });
  return {
    shards: rows.map(({ shard, fence }) => ({ number: shard as number, fence: BigInt(fence as string) })),
    share: (rows[0]?.share as number | undefined) ?? 0,
  };
}

/**
 * Gives shards back, so that another relay takes them at once.
 * @param goes whether this relay ends
 */
export async function leaveShards(
  database: Database,
  me: string,
  numbers: readonly number[],
  goes: boolean,
): Promise<void> {
  await database.alone({
    name: 'leave_shards',
    text: 'select leave_shards($1, $2, $3)',
    values: [me, numbers, goes],
  });
}

/** @returns those of the shards that have something to publish */
export async function dueShards(database: Database, numbers: readonly number[]): Promise<readonly number[]> {
  const rows = await database.alone({
    name: 'due_shards',
    text: 'select s as shard from unnest($1::smallint[]) s where exists (select from due_publications(s, 1))',
    values: [numbers],
  });
  return rows.map(({ shard }) => shard as number);
}
