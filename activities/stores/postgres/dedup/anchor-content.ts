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

const open = `
select digest, extract(epoch from anchored_at) * 1000 as anchored_ms from content_anchor
where tenant = $1 and environment = $2 and subject = $3 and flow = $4 and digest = any($5) and until > clock_timestamp()
order by anchored_at, digest limit 1`;

/**
 * The earliest arrival of a content whose window is open, under any of its digests: whoever looks finds the same one.
 * @returns undefined where no window is open
 */
export async function openAnchor(
  database: Database,
  { tenant, environment, subject, flow }: Omit<Scope, 'key'>,
  digests: readonly string[],
): Promise<{ readonly digest: string; readonly anchoredAt: number } | undefined> {
  const values = [tenant, environment, subject, flow, digests];
  const [rows] = await database.flush(tenant, { name: 'open_anchor', text: open, values });
  const [row] = rows ?? [];
  return row && { digest: row.digest as string, anchoredAt: Number(row.anchored_ms) };
}
