import type { OperationRef } from '../../../../workflows/operation/call.ts';
import type { Database } from '../database.ts';

/** A second later, so that upkeep finds that the leaving run has gone. */
const text = `
update operation set next_look_at = least(next_look_at, now() + interval '1 second')
where id = $1 and settled_at is null`;

/** A fenced run leaves an operation open. Upkeep looks after it soon, however long it would have waited otherwise. */
export async function leave(database: Database, { id, tenant }: OperationRef): Promise<void> {
  await database.flush(tenant, { name: 'leave', text, values: [id] });
}
