import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database } from '../database.ts';

const text = `insert into issued_key (key, tenant, environment, subject) values ($1, $2, $3, $4)`;

/** Stores a key that we made for a caller who cannot make one. */
export async function issueKey(
  database: Database,
  issued: { key: string; tenant: string; environment: Environment; subject: string },
): Promise<void> {
  const { key, tenant, environment, subject } = issued;
  await database.flush(tenant, { name: 'issue_key', text, values: [key, tenant, environment, subject] });
}
