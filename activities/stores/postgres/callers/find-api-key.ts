import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Role } from '../../../../workflows/operation/role.ts';
import type { Database } from '../database.ts';

/** An API key that is neither revoked nor expired. */
export type ApiKeyRow = {
  /** SHA-256 of the whole key. */
  readonly hash: Buffer;
  readonly tenant: string;
  readonly environment: Environment;
  readonly subject: string;
  readonly role: Role;
  /** Milliseconds by PostgreSQL's clock; null where the key does not expire. */
  readonly expiresIn: number | null;
  /** Whether a use within the last minute is on record. */
  readonly usedLately: boolean;
};

export async function findApiKey(database: Database, prefix: string): Promise<ApiKeyRow | undefined> {
  const [row] = await database.alone({
    name: 'find_api_key',
    text: 'select * from find_api_key($1)',
    values: [prefix],
  });
  if (row === undefined) return undefined;
  return {
    hash: row.hash as Buffer,
    tenant: row.tenant as string,
    environment: row.environment as Environment,
    subject: row.subject as string,
    role: row.role as Role,
    expiresIn: row.expires_in_ms as number | null,
    usedLately: row.used_lately as boolean,
  };
}

/** Records a use of the key, at most once a minute. */
export async function useApiKey(database: Database, prefix: string): Promise<void> {
  await database.alone({ name: 'use_api_key', text: 'select use_api_key($1)', values: [prefix] });
}
