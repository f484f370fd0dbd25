import type { Scope } from '../../../../workflows/operation/key.ts';
import type { Database } from '../database.ts';

/**
 * The time of the first arrival of a content in its window, which the first caller sets. One message and its own
 * transaction (0038_dedup.sql).
 * @param digest of the content
 * @param window milliseconds
 * @returns milliseconds since 1970, by PostgreSQL's clock
 * @throws LedgerFault `unavailable`
 */
export async function anchorContent(
  database: Database,
  { tenant, environment, subject, flow }: Omit<Scope, 'key'>,
  digest: string,
  window: number,
): Promise<number> {
  const [row] = await database.alone({
    name: 'anchor_content',
    text: 'select anchor_content($1, $2, $3, $4, $5, $6) as anchored_at',
    values: [tenant, environment, subject, flow, digest, window],
  });
  return Number(row?.anchored_at);
}
