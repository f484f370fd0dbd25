import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Database, Row } from '../database.ts';

/** Something about money that does not add up, and nobody but a person can mend. */
export type Difference = {
  readonly id: string;
  readonly tenant: string;
  readonly environment: Environment;
  readonly kind: 'refund-failed' | 'amount-differs' | 'missing-at-provider' | 'money-held' | 'unknown-payment';
  readonly object: string;
  readonly payment: string | null;
  readonly order: string | null;
  readonly operation: string | null;
  /** Minor units; null where we have booked nothing. */
  readonly ours: number | null;
  /** Minor units; null where the provider shows nothing. */
  readonly theirs: number | null;
  readonly currency: string;
  readonly says: string;
  readonly since: Date;
  readonly endedAt: Date | null;
  readonly endedBy: string | null;
  readonly reason: string | null;
};

const columns = `
id, tenant, environment, kind, object, payment, order_id, operation_id, ours_minor::float8 as ours, theirs_minor::float8 as theirs,
currency, says, since, ended_at, ended_by, reason`;

const list = `
select ${columns} from money_difference
where ($1::text is null or tenant = $1) and ($2::text is null or environment = $2)
  and ($3::boolean is null or $3 = (ended_at is null))
  and ($4::timestamptz is null or (date_trunc('milliseconds', since), id) < ($4, $5))
order by date_trunc('milliseconds', since) desc, id desc limit $6`;

type DifferenceQuery = {
  readonly environment: Environment;
  /** undefined lists those that have ended as well. */
  readonly open: boolean | undefined;
  readonly limit: number;
  readonly after: { readonly since: string; readonly id: string } | undefined;
};

/** One page of a tenant's, the latest first. */
export async function differences(
  database: Database,
  tenant: string,
  { environment, open, limit, after }: DifferenceQuery,
): Promise<readonly Difference[]> {
  const values = [tenant, environment, open ?? null, after?.since ?? null, after?.id ?? null, limit];
  const [rows] = await database.flush(tenant, { name: 'differences', text: list, values });
  return (rows ?? []).map(differenceOf);
}

/** Those of all tenants that are open. @param database sees all tenants */
export async function openDifferences(database: Database, limit: number): Promise<readonly Difference[]> {
  const values = [null, null, true, null, null, limit];
  const [rows] = await database.flush(null, { name: 'differences', text: list, values });
  return (rows ?? []).map(differenceOf);
}

const find = 'select find_differences($1, $2, $3)';

/**
 * Lists what does not add up, once the provider's ledger was read to its end, and ends what is over.
 * @param late how long the provider may take to show a movement; milliseconds
 */
export async function findDifferences(database: Database, provider: string, from: string, late: number): Promise<void> {
  await database.flush(null, { name: 'find_differences', text: find, values: [provider, from, late] });
}

const end = `
update money_difference set ended_at = now(), ended_by = $3, reason = $4
where id = $1 and environment = $2 and ended_at is null
returning ${columns}`;

const one = `select ${columns} from money_difference where id = $1 and environment = $2`;

/** A person has dealt with it. @returns it; undefined where there is none of that id */
export async function endDifference(
  database: Database,
  tenant: string,
  { id, environment, by, reason }: { id: string; environment: Environment; by: string; reason: string },
): Promise<Difference | undefined> {
  const [ended, known] = await database.flush(
    tenant,
    { name: 'end_difference', text: end, values: [id, environment, by, reason] },
    { name: 'difference', text: one, values: [id, environment] },
  );
  const row = ended?.[0] ?? known?.[0];
  return row && differenceOf(row);
}

function differenceOf(row: Row): Difference {
  return {
    id: row.id as string,
    tenant: row.tenant as string,
    environment: row.environment as Environment,
    kind: row.kind as Difference['kind'],
    object: row.object as string,
    payment: row.payment as string | null,
    order: row.order_id as string | null,
    operation: row.operation_id as string | null,
    ours: row.ours as number | null,
    theirs: row.theirs as number | null,
    currency: row.currency as string,
    says: row.says as string,
    since: row.since as Date,
    endedAt: row.ended_at as Date | null,
    endedBy: row.ended_by as string | null,
    reason: row.reason as string | null,
  };
}
