import type { Database } from '../database.ts';
import { tokenHash } from './link-values.ts';

type FoundLink = { readonly tenant: string; readonly operation: string; readonly expired: boolean };

/** @returns the sign-up that a link leads to; undefined where nobody has told of such a link */
export async function findSignupLink(database: Database, token: string): Promise<FoundLink | undefined> {
  const [row] = await database.alone({
    name: 'find_signup_link',
    text: 'select * from find_signup_link($1)',
    values: [tokenHash(token)],
  });
  if (row === undefined) return undefined;
  return { tenant: row.tenant as string, operation: row.operation_id as string, expired: row.expired as boolean };
}
