import type { Row, Statement } from '../../database.ts';

export const resolutionStandings = ['waiting', 'held', 'lapsed', 'overtaken'] as const;

/** What a person has said of a step, and what became of that. */
export type ResolutionRecord = {
  readonly step: string;
  readonly outcome: 'done' | 'no-effect';
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly evidence: string;
  readonly reason: string;
  readonly by: string;
  readonly at: Date;
  readonly standing: (typeof resolutionStandings)[number];
  /** Why it lapsed. */
  readonly says: string | null;
};

/** A step that has ended by itself has no further try that could decide. */
const text = `
select resolution.operation_id, resolution.step, outcome, resolution.result, evidence, reason, said_by, said_at, verdict_says,
  case when verdict is not null then verdict
       when operation.settled_at is not null or step.state in ('done', 'failed', 'undone', 'undo_failed') then 'overtaken'
       else 'waiting' end as standing
from resolution
join operation on operation.id = resolution.operation_id
left join step on step.operation_id = resolution.operation_id and step.name = resolution.step
where resolution.operation_id = any($1) order by resolution.operation_id, number`;

/** In the order in which they were said. */
export function resolutionsOf(operations: readonly string[]): Statement {
  return { name: 'resolutions_of', text, values: [operations] };
}

export function resolutionRecord(row: Row): ResolutionRecord {
  return {
    step: row.step as string,
    outcome: row.outcome as ResolutionRecord['outcome'],
    result: row.result as ResolutionRecord['result'],
    evidence: row.evidence as string,
    reason: row.reason as string,
    by: row.said_by as string,
    at: row.said_at as Date,
    standing: row.standing as ResolutionRecord['standing'],
    says: row.verdict_says as string | null,
  };
}
