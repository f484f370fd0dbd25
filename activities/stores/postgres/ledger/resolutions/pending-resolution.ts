import type { Hold } from '../../../../../workflows/operation/call.ts';
import type { Database } from '../../database.ts';

type Pending = {
  readonly number: number;
  readonly epoch: number;
  readonly attempt: number;
  /** What was sent; null if the step has no row, or waits for its caller. */
  readonly request: unknown;
  /** Since the first try of this epoch. Milliseconds. */
  readonly age: number;
};

export type SaidDone = Pending & { readonly outcome: 'done'; readonly result: unknown };
export type SaidWithoutEffect = Pending & {
  readonly outcome: 'no-effect';
  /** Time until no earlier try can still be under way. Milliseconds. */
  readonly remaining: number;
};

/** What a person has said and the next try of the step has to decide about, and the step's row. */
type PendingResolution = SaidDone | SaidWithoutEffect;

const text = `
select number, outcome, resolution.result, greatest(0, extract(epoch from due_at - now()) * 1000) as remaining,
  coalesce(epoch, 1) as epoch, coalesce(attempt, 0) as attempt, request,
  coalesce(extract(epoch from now() - sent_at) * 1000, 0) as age
from resolution left join step on step.operation_id = resolution.operation_id and step.name = resolution.step
where resolution.operation_id = $1 and resolution.step = $2 and verdict is null`;

export async function pendingResolution(
  database: Database,
  { operation, step }: Hold & { readonly step: string },
): Promise<PendingResolution | undefined> {
  const statement = { name: 'pending_resolution', text, values: [operation.id, step] };
  const [rows] = await database.flush(operation.tenant, statement);
  const row = rows?.[0];
  if (row === undefined) return undefined;
  const { number, epoch, attempt } = row as { number: number; epoch: number; attempt: number };
  const about = { number, epoch, attempt, request: row.request, age: Number(row.age) };
  return row.outcome === 'done'
    ? { ...about, outcome: 'done', result: row.result }
    : { ...about, outcome: 'no-effect', remaining: Math.ceil(Number(row.remaining)) };
}
