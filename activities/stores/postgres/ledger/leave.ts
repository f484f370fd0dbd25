import type { OperationRef } from '../../../../workflows/operation/call.ts';
import type { Database } from '../database.ts';

/** A second later, so that upkeep finds the leaving run gone. */
const text = `
update operation set next_look_at = least(next_look_at, now() + interval '1 second')
where id = $1 and settled_at is null`;

/** A run that was fenced leaves an open operation: it is looked after soon, however long upkeep would have waited. */
export async function leave(database: Database, { id, tenant }: OperationRef): Promise<void> {
  await database.flush(tenant, { name: 'leave', text, values: [id] });
}
