import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Role } from '../../../../workflows/operation/role.ts';
import type { Database, Row } from '../database.ts';

type NewApiKey = {
  readonly prefix: string;
  readonly hash: Buffer;
  readonly tenant: string;
  readonly environment: Environment;
  readonly subject: string;
  readonly role: Role;
  readonly note: string | null;
  readonly expiresAt: Date | null;
};

/** An API key as its manager sees it: everything but the hash. */
export type ListedApiKey = Omit<NewApiKey, 'hash'> & {
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
};

const columns = 'prefix, tenant, environment, subject, role, note, created_at, expires_at, last_used_at, revoked_at';

const create = `
insert into api_key (prefix, hash, tenant, environment, subject, role, note, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8) returning ${columns}`;

const list = `
select ${columns} from api_key
where ($1::text is null or tenant = $1) and ($2::text is null or environment = $2)
order by created_at, prefix`;

/** A second revocation changes nothing and says when the first one was. */
const revoke = `
update api_key set revoked_at = coalesce(revoked_at, clock_timestamp()) where prefix = $1 returning ${columns}`;

export async function createApiKey(database: Database, key: NewApiKey): Promise<ListedApiKey> {
  const { prefix, hash, tenant, environment, subject, role, note, expiresAt } = key;
  const values = [prefix, hash, tenant, environment, subject, role, note, expiresAt];
  const [row] = await database.alone({ name: 'create_api_key', text: create, values });
  return listed(row as Row);
}

export async function listApiKeys(
  database: Database,
  filter: { readonly tenant?: string | undefined; readonly environment?: string | undefined },
): Promise<ListedApiKey[]> {
  const values = [filter.tenant ?? null, filter.environment ?? null];
  return (await database.alone({ name: 'list_api_keys', text: list, values })).map(listed);
}

/** @returns the key as it is now, or undefined where there is none */
export async function revokeApiKey(database: Database, prefix: string): Promise<ListedApiKey | undefined> {
  const [row] = await database.alone({ name: 'revoke_api_key', text: revoke, values: [prefix] });
  return row === undefined ? undefined : listed(row);
}

function listed(row: Row): ListedApiKey {
  return {
    prefix: row.prefix as string,
    tenant: row.tenant as string,
    environment: row.environment as Environment,
    subject: row.subject as string,
    role: row.role as Role,
    note: row.note as string | null,
    createdAt: row.created_at as Date,
    expiresAt: row.expires_at as Date | null,
    lastUsedAt: row.last_used_at as Date | null,
    revokedAt: row.revoked_at as Date | null,
  };
}
