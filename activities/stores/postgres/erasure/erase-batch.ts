import type { Database, Statement } from '../database.ts';
import type { DueErasure } from './due-erasures.ts';

/**
 * Operations, orders and old accounts, each, of one transaction. An operation may have told two events, and each may wait for 50
 * endpoints: these are 20,000 rows at most, which a statement changes within its time even on a busy machine.
 */
const atOnce = 200;

const first = `select step_done($1, $2, erase_first($1, $3)) as done`;

/** Erases what nearly every subject has, and says how far it has come. */
export function eraseFirst(erasure: string, step: string): Statement {
  return { name: 'erase_first', text: first, values: [erasure, step, atOnce] };
}

/** @returns how much was erased; 0 when nothing is left that can be erased now */
export async function eraseBatch(database: Database, { id, tenant }: DueErasure): Promise<number> {
  const text = 'select erase_batch($1, $2) as erased';
  const [rows] = await database.flush(tenant, { name: 'erase_batch', text, values: [id, atOnce] });
  return rows?.[0]?.erased as number;
}

/**
 * A claim that had begun before, and was not committed then, can be seen after the longest transaction: 8 s. An order that is being
 * cancelled keeps its buyer until that has ended.
 */
const finish = `
update erasure e set finished_at = now()
where e.operation_id = $1 and e.finished_at is null and e.requested_at < now() - interval '10 seconds' and not exists (
  select from operation o
  where o.tenant = e.tenant and o.environment = e.environment and o.subject = e.subject
    and o.erased_at is null and o.flow <> 'erasure' and o.created_at <= e.requested_at)
  and not exists (
    select from customer_order c
    where c.tenant = e.tenant and c.environment = e.environment and c.created_at <= e.requested_at
      and (c.email is not null or c.promo_buyer is not null)
      and (c.subject = e.subject or c.subject is null and c.operation_id in (
        select o.id from operation o where o.tenant = e.tenant and o.environment = e.environment and o.subject = e.subject)))
  and not exists (
    select from account a
    where a.tenant = e.tenant and a.environment = e.environment and a.subject = e.subject and a.state <> 'erased'
      and a.created_at <= e.requested_at and not exists (select from operation o where o.id = a.operation_id))`;

/** Ends the erasure if nothing is left of it. */
export async function finishErasure(database: Database, { id, tenant }: DueErasure): Promise<void> {
  await database.flush(tenant, { name: 'finish_erasure', text: finish, values: [id] });
}
