import type { OperationRef } from '../../../../workflows/operation/call.ts';
import type { Database } from '../database.ts';

/** Evidence that does not count: it lost against another, or came after the end of its wait. */
export type Stray = {
  readonly step: string;
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly why: 'lost' | 'late';
};

const text = 'select step, evidence, why from stray where operation_id = $1 order by came_at';

export async function strays(
  database: Database,
  { id, tenant }: Pick<OperationRef, 'id' | 'tenant'>,
): Promise<readonly Stray[]> {
  const [rows = []] = await database.flush(tenant, { name: 'strays', text, values: [id] });
  return rows.map((row) => ({
    step: row.step as string,
    evidence: row.evidence as Record<string, unknown>,
    why: row.why as Stray['why'],
  }));
}
