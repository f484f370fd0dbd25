import { days } from '../../../../workflows/operation/duration.ts';
import type { Database } from '../database.ts';

/** One comparison of our books with a provider's ledger. */
type MoneyPass = {
  readonly id: string;
  /** Movements since then are compared. ISO 8601. */
  readonly from: string;
};

export type PassCounts = {
  readonly movements: number;
  readonly booked: number;
  readonly unassigned: number;
};

/**
 * A movement is shown with the time at which it was made, so a day of overlap is plenty. The first pass begins before the
 * first fact that we have booked.
 */
const overlap = days(1);

const begin = `
insert into money_pass (provider, read_from)
values ($1, coalesce($2::timestamptz,
  (select max(covered_until) from money_pass where provider = $1) - $3 * interval '1 millisecond',
  (select min(happened_at) from money_fact where provider = $1) - $3 * interval '1 millisecond',
  now() - $3 * interval '1 millisecond'))
returning id, read_from`;

const end = `
update money_pass p
set ended_at = now(), movements = $2, booked = $3, unassigned = $4,
  covered_until = case when read_from <= coalesce(
      (select max(covered_until) from money_pass before where before.provider = p.provider),
      (select min(happened_at) from money_fact f where f.provider = p.provider), now()) then started_at end
where id = $1`;

/** A year of passes each hour; a pass that died is forgotten with them. */
const forget = `delete from money_pass where started_at < now() - interval '1 year'`;

/** @param from undefined goes on where passes have left nothing out */
export async function beginPass(database: Database, provider: string, from: string | undefined): Promise<MoneyPass> {
  const values = [provider, from ?? null, overlap];
  const [rows] = await database.flush(null, { name: 'begin_money_pass', text: begin, values });
  const [begun] = rows ?? [];
  if (begun === undefined) throw new Error('A pass begins with a row');
  return { id: begun.id as string, from: (begun.read_from as Date).toISOString() };
}

export async function endPass(database: Database, id: string, counts: PassCounts): Promise<void> {
  const values = [id, counts.movements, counts.booked, counts.unassigned];
  await database.flush(
    null,
    { name: 'end_money_pass', text: end, values },
    { name: 'forget_money_passes', text: forget, values: [] },
  );
}
