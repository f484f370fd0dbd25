import type { Statement } from '../database.ts';

/** The upload takes no bytes any more, unless it has them or its deadline has been moved. */
const text = `
insert into transfer (operation_id, tenant, outcome)
select id, tenant, 'closed' from operation where id = $1 and deadline <= now()
on conflict (operation_id) do nothing`;

/** To be run while the operation's row is held. */
export function closeTransfer(operation: string): Statement {
  return { name: 'close_transfer', text, values: [operation] };
}
