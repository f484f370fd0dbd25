import type { Environment } from '../../../../workflows/operation/key.ts';
import type { RowClient } from '../callback/row-client.ts';

const text = `
insert into upload_usage as u (tenant, environment, subject, uploads, bytes, stored)
values (current_tenant(), $1, $2, 1, $3, $4)
on conflict (tenant, environment, subject)
do update set uploads = u.uploads + 1, bytes = u.bytes + excluded.bytes, stored = u.stored + excluded.stored`;

type Used = { readonly subject: string; readonly bytes: number; readonly stored: number };

/** Adds one upload to what its subject has used. Sums are the same in any order. */
export async function addUsage(
  sql: RowClient,
  environment: Environment,
  { subject, bytes, stored }: Used,
): Promise<void> {
  await sql.query(text, [environment, subject, bytes, stored]);
}
