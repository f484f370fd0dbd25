import type { OperationRef } from '../../../../workflows/operation/call.ts';
import type { Database, Row, Statement } from '../database.ts';

/** What has come from outside for a step that waits. */
type Evidence = {
  readonly step: string;
  /** The step's position in its flow. */
  readonly position: number;
  readonly evidence: Readonly<Record<string, unknown>>;
  /** Two pieces of evidence with the same text say the same. */
  readonly sameness: string;
  /** Whether it counts after the deadline for as long as the wait is not closed. Otherwise it is refused as `due`. */
  readonly evenDue: boolean;
};

export type Arrived =
  /** It counts, or the same has come before (`repeated`). `evidence` is what counts. */
  | { readonly kind: 'arrived' | 'repeated'; readonly evidence: Readonly<Record<string, unknown>> }
  /** Another piece counts; this one is kept as a stray. */
  | { readonly kind: 'lost'; readonly evidence: Readonly<Record<string, unknown>> }
  /** The wait, or the operation, has ended; it is kept as a stray. */
  | { readonly kind: 'late' }
  | { readonly kind: 'due' }
  | { readonly kind: 'missing' };

const text = 'select outcome, counts from arrive($1, $2, $3, $4, $5, $6)';

/** Takes evidence in by one statement of the ledger, which commits before any signal. */
function arriving(operation: string, { step, position, evidence, sameness, evenDue }: Evidence): Statement {
  return { name: 'arrive', text, values: [operation, step, position, evidence, sameness, evenDue] };
}

function arrivedBy(row: Row | undefined): Arrived {
  const kind = row?.outcome as Arrived['kind'];
  switch (kind) {
    case 'arrived':
    case 'repeated':
    case 'lost':
      return { kind, evidence: row?.counts as Record<string, unknown> };
    case 'late':
    case 'due':
    case 'missing':
      return { kind };
  }
}

/** @throws LedgerFault `unavailable`: nobody knows whether it has arrived; saying it again finds out */
export async function arrive(
  database: Database,
  { id, tenant }: Pick<OperationRef, 'id' | 'tenant'>,
  evidence: Evidence,
): Promise<Arrived> {
  const [rows] = await database.flush(tenant, arriving(id, evidence));
  return arrivedBy(rows?.[0]);
}
