import { listObjects } from '../../../activities/stores/s3/list-objects.ts';
import { isSettled, type OperationState } from '../../../workflows/operation/state.ts';
import { readConfig } from '../../../workers/config.ts';
import { connectS3, s3Settings } from '../../../workers/connect-s3.ts';
import type { TicketOffice } from '../ticket-office.ts';
import type { World } from '../world.ts';

/** All that an operation has left, without ids and times, counted where it is. Each operation has a tenant of its own. */
export type Footprint = {
  readonly state: OperationState | 'missing';
  readonly settled: boolean;
  readonly steps: Readonly<Record<string, string>>;
  readonly trouble: readonly unknown[];
  readonly answer: string;
  /** Rows of the tenant in all tables that are not the ledger's own, as JSON. */
  readonly rows: readonly string[];
  readonly objects: readonly string[];
  /** What the books of the outside systems show of it. */
  readonly effects: readonly string[];
  /** What they hold for it: minor units, issued papers. */
  readonly held: { readonly money: number; readonly papers: number };
};

/** How the ledger itself keeps an operation, its keys and its callers. All other tables are the flows'. */
const ledgers = [
  ...['operation', 'step', 'arrival', 'trouble', 'resolution', 'awaited', 'stray', 'transfer'],
  ...['issued_key', 'api_key'],
].map((table) => `hapax.${table}`);

type Subject = { readonly tenant: string; readonly id: string };

/** Looks everywhere, once for all. A subject without an operation shows what its tenant began with. */
export async function footprints(
  world: World,
  office: TicketOffice,
  subjects: readonly Subject[],
): Promise<Map<string, Footprint>> {
  const ids = subjects.map(({ id }) => id);
  const [rows, objects, audit, booked, operations, steps, troubles] = await Promise.all([
    rowsByTenant(world),
    everyObject(world),
    world.audit(),
    world.booked(),
    world.sql<{ id: string; state: OperationState; answer: string | null; settled: boolean }>(
      `select id, state, convert_from(answer_body, 'utf8') as answer from hapax.operation where id = any($1)`,
      ids,
    ),
    world.sql<{ id: string; name: string; state: string }>(
      'select operation_id as id, name, state from hapax.step where operation_id = any($1) order by position',
      ids,
    ),
    world.sql<{ id: string }>('select operation_id as id, step, says from hapax.trouble_now'),
  ]);
  return new Map(
    subjects.map((subject) => {
      const { id, tenant } = subject;
      const operation = operations.find((one) => one.id === id);
      const paid = audit.filter((effect) => effect.operation === id);
      // The office is the tests' own; the other systems are declared, and have a fake each.
      const papers = [
        ...office.effects.filter(({ key }) => key.startsWith(`${id}:`)),
        ...booked.filter(({ system, operation }) => system !== 'payments' && operation === id),
      ];
      const sign = (type: string) => (type.endsWith('.issued') ? 1 : -1);
      return [
        id,
        {
          state: operation?.state ?? 'missing',
          settled: operation !== undefined && isSettled(operation.state),
          steps: Object.fromEntries(steps.filter((one) => one.id === id).map(({ name, state }) => [name, state])),
          trouble: troubles.filter((one) => one.id === id),
          answer: nameless(operation?.answer ?? '', subject),
          rows: (rows.get(tenant) ?? []).map((row) => nameless(row, subject)).toSorted(),
          objects: objects
            .filter((key) => key.includes(digestOf(id)))
            .map((key) => nameless(key, subject))
            .toSorted(),
          effects: [...paid.map(({ type }) => type), ...papers.map(({ type }) => type)].toSorted(),
          held: { money: moneyOf(paid), papers: papers.reduce((sum, { type }) => sum + sign(type), 0) },
        },
      ];
    }),
  );
}

function moneyOf(paid: readonly { readonly type: string; readonly amount: number }[]): number {
  const took = (type: string) => paid.filter((one) => one.type === type).reduce((sum, { amount }) => sum + amount, 0);
  // The audit's amount of a cancellation is what it released.
  return took('payment_intent.confirmed') - took('payment_intent.canceled') - took('refund.created');
}

/** Every name that an operation derives holds this. */
function digestOf(id: string): string {
  return id.slice('op_'.length);
}

/** The same for every operation: names become words, and ids of whoever's making too. */
function nameless(text: string, { id, tenant }: Subject): string {
  return (
    text
      .replaceAll(tenant, 'TENANT')
      .replaceAll(digestOf(id), 'OPERATION')
      .replaceAll(/sealed:1:[a-z0-9-]+:[A-Za-z0-9_-]+/g, 'SEALED')
      .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'ID')
      .replaceAll(/(?<![A-Za-z0-9])(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,}(?![A-Za-z0-9])/g, 'ID')
      .replaceAll(/\b(ticket-|seat-map-)[A-Za-z0-9]+/g, '$1ID')
      // The provider's ids, one in fifty of which has no digit.
      .replaceAll(/\b([a-z]{2,6}_)[A-Za-z0-9]{24}\b/g, '$1ID')
  );
}

/** Rows of every table with a tenant in every schema, without what PostgreSQL numbers or derives from other columns, and without times. */
async function rowsByTenant(world: World): Promise<Map<string, string[]>> {
  const columns = await world.sql<{ table: string; left_out: string[] }>(
    `select n.nspname || '.' || c.relname as table,
       array_agg(a.attname::text) filter (
         where a.attidentity <> '' or a.attgenerated <> '' or a.atttypid in ('xid8'::regtype, 'timestamptz'::regtype)) as left_out
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
     where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')
     group by 1 having bool_or(a.attname = 'tenant') order by 1`,
  );
  const tables = columns.filter(({ table }) => !ledgers.includes(table));
  const rows = new Map<string, string[]>();
  for (const { table, left_out } of tables)
    for (const { tenant, row } of await world.sql<{ tenant: string; row: Record<string, unknown> }>(
      `select tenant, to_jsonb(t) as row from ${table} t`,
    )) {
      const kept = Object.entries(row).map(([name, value]) =>
        left_out?.includes(name) ? [name, value === null ? 'never' : 'once'] : [name, value],
      );
      rows.set(tenant, [...(rows.get(tenant) ?? []), `${table} ${JSON.stringify(Object.fromEntries(kept))}`]);
    }
  return rows;
}

async function everyObject(world: World): Promise<readonly string[]> {
  const store = connectS3(readConfig(s3Settings, world.env));
  try {
    return (await listObjects(store, '')).map(({ key }) => key);
  } finally {
    store.close();
  }
}
