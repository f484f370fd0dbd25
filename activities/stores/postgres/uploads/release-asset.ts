import type { Statement, Transaction } from '../database.ts';

/** Waits for transactions that are about to refer to the content, and keeps others out until this one ends. */
const lock = `
select c.id from content c join asset a on a.content_id = c.id where a.operation_id = $1 for update of c`;

const leavePlace = `update asset set holds_place = false where operation_id = $1`;

/** What was replaced has its place back, unless another one has taken it since. */
const giveBack = `
update asset a set replaced_by = null from asset own
where own.operation_id = $1 and a.replaced_by = own.id and not exists (
  select from asset other where (other.tenant, other.environment, other.subject, other.destination, other.name)
    = (a.tenant, a.environment, a.subject, a.destination, a.name) and other.holds_place and other.replaced_by is null)`;

const remove = `delete from asset where operation_id = $1`;

/** A statement of its own after the lock, so that it sees every reference that was committed before. */
const collect = `
update content set state = 'deleting', collected_by = $1
where id = $2 and state <> 'deleting' and not exists (select from asset where content_id = content.id)`;

/**
 * Takes an asset back. If nothing refers to the content any more, it is given up, and this operation deletes its
 * objects.
 */
export async function releaseAsset(tx: Transaction, operation: string): Promise<void> {
  const statement = (name: string, text: string, ...values: unknown[]): Statement => ({ name, text, values });
  const [rows] = await tx.run(statement('lock_content_of', lock, operation));
  const content = rows?.[0]?.id;
  if (content === undefined) return;
  await tx.run(statement('leave_place', leavePlace, operation));
  await tx.run(statement('give_place_back', giveBack, operation));
  await tx.run(statement('remove_asset', remove, operation), statement('collect_content', collect, operation, content));
}
