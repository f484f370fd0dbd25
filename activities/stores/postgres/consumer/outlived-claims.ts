import type { Database } from '../database.ts';

/** Each of the parts has an index without what is done. */
const count = `
select consumer, state, count(*)::integer as count from consumed where state in ('due', 'waiting') group by 1, 2
union all
select consumer, state, count(*)::integer from consumed where state in ('parked', 'dead') group by 1, 2`;

/** What consumers have not done, by consumer and state. */
export async function countConsumed(
  database: Database,
): Promise<readonly { readonly consumer: string; readonly state: string; readonly count: number }[]> {
  const rows = await database.alone({ name: 'count_consumed', text: count, values: [] });
  return rows as unknown as readonly { consumer: string; state: string; count: number }[];
}

/** What is tried or waits is never forgotten: it would be lost. */
const outlived = `
delete from consumed where ctid = any(array(
  select o.ctid from consumed o
  where o.forget_after <= now() and o.state not in ('due', 'waiting', 'parked')
  order by o.forget_after limit $1 for update skip locked))
returning 1`;

/** Forgets a batch of messages that the broker cannot deliver any more. @returns how many */
export async function forgetConsumed(database: Database, atMost: number): Promise<number> {
  return (await database.alone({ name: 'forget_consumed', text: outlived, values: [atMost] })).length;
}
