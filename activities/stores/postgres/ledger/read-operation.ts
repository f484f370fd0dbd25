import { resultOf } from '../../../../workflows/operation/answer.ts';
import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Refusal } from '../../../../workflows/operation/outcome.ts';
import {
  isSettled,
  type OpenState,
  type OperationState,
  type SettledState,
  type StepState,
} from '../../../../workflows/operation/state.ts';
import type { Trouble } from '../../../../workflows/operation/trouble.ts';
import type { Database, Row, Statement } from '../database.ts';
import { type ResolutionRecord, resolutionRecord, resolutionsOf } from './resolutions/read-resolutions.ts';
import { answerColumns, type StoredAnswer, storedAnswer } from './stored-answer.ts';

type StepRecord = {
  readonly name: string;
  readonly state: StepState;
  readonly attempts: number;
  readonly epoch: number;
  readonly refusal: Refusal | null;
  /** Its result; null if it has none, or not yet. */
  readonly result: unknown;
  readonly sentAt: Date;
  readonly endedAt: Date | null;
};

type Named = {
  readonly id: string;
  readonly tenant: string;
  readonly environment: Environment;
  readonly subject: string;
  readonly keySubject: string;
  readonly flow: string;
  readonly key: string;
  readonly generation: number;
  readonly request: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  readonly createdAt: Date;
  readonly steps: readonly StepRecord[];
  readonly resolutions: readonly ResolutionRecord[];
  /** Why it makes no progress, or that its money does not add up. */
  readonly trouble: Trouble | null;
};

type OpenOperation = Named & {
  readonly state: OpenState;
  readonly settledAt: null;
  readonly cancelRequestedAt: Date | null;
  /** For the wait that it is in, or was last in. */
  readonly deadline: Date | null;
};

export type SettledOperation = Named & {
  readonly settledAt: Date;
  readonly answer: Exclude<StoredAnswer, { kind: 'none' }>;
  /** The same key names the next generation. */
  readonly renewable: boolean;
} & (
    | {
        readonly state: 'succeeded';
        /** As in its answer; null once that is forgotten. */
        readonly result: Readonly<Record<string, unknown>> | null;
      }
    | {
        readonly state: Exclude<SettledState, 'succeeded'>;
        /** null once its answer is forgotten. */
        readonly refusal: Refusal | null;
      }
  );

export type OperationRecord = OpenOperation | SettledOperation;

const columns = `id, tenant, environment, subject, key_subject, flow, key, generation, state, request, request_id,
  refusal, renewable, cancel_requested_at, deadline, created_at, ${answerColumns},
  (select to_jsonb(now) from trouble_now now where now.operation_id = operation.id) as trouble`;

const one = `select ${columns} from operation where id = $1`;

const steps = `
select operation_id, name, state, attempt as attempts, epoch, refusal, result, sent_at, ended_at
from step where operation_id = any($1) order by position`;

/** A page by (created_at, id), newest first. The cursor is the last row of the previous page. */
const pageOf = (whose: string) => `
select ${columns} from operation
where tenant = $1 and environment = $2 and ${whose}
  and ($4::text is null or flow = $4) and ($5::text is null or key = $5) and ($6::text is null or state = $6)
  and ($7::timestamptz is null or (created_at, id) < ($7, $8))
  and ($10::boolean is null or $10 = (settled_at is not null))
  and ($11::boolean is null or $11 = exists (select from trouble_now now where now.operation_id = operation.id))
  and ($12::jsonb is null or request @> $12)
order by created_at desc, id desc limit $9`;

const page = { name: 'page_of_operations_by_request', text: pageOf('($3::text is null or subject = $3)') };
/** What a subject has not finished is found at once among millions, by an index of its own. */
const openPage = { name: 'page_of_open_operations', text: pageOf('subject = $3 and settled_at is null') };

function stepsOf(ids: readonly string[]): Statement {
  return { name: 'steps_with_results_of', text: steps, values: [ids] };
}

export async function readOperation(
  database: Database,
  tenant: string,
  id: string,
): Promise<OperationRecord | undefined> {
  const [rows, stepRows, said] = await database.flush(
    tenant,
    { name: 'operation_by_id', text: one, values: [id] },
    stepsOf([id]),
    resolutionsOf([id]),
  );
  const row = rows?.[0];
  return row === undefined ? undefined : record(row, stepRows ?? [], said ?? []);
}

type OperationFilter = {
  readonly tenant: string;
  readonly environment: Environment;
  /** Undefined lists the operations of every subject. */
  readonly subject: string | undefined;
  readonly flow?: string | undefined;
  readonly key?: string | undefined;
  readonly state?: OperationState | undefined;
  /** Whether it has settled. */
  readonly settled?: boolean | undefined;
  /** Whether it makes no progress, or its money does not add up. */
  readonly trouble?: boolean | undefined;
  /** Members that its request has. */
  readonly request?: Readonly<Record<string, unknown>> | undefined;
  readonly before?: { readonly createdAt: string; readonly id: string } | undefined;
  readonly limit: number;
};

export async function listOperations(database: Database, filter: OperationFilter): Promise<OperationRecord[]> {
  const { tenant, environment, subject, flow, key, state, settled, trouble, request, before, limit } = filter;
  const values = [
    tenant,
    environment,
    subject ?? null,
    flow ?? null,
    key ?? null,
    state ?? null,
    before?.createdAt ?? null,
    before?.id ?? null,
    limit,
    settled ?? null,
    trouble ?? null,
    request === undefined ? null : JSON.stringify(request),
  ];
  const statement = settled === false && subject !== undefined ? openPage : page;
  const [rows = []] = await database.flush(tenant, { ...statement, values });
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id as string);
  const [stepRows = [], said = []] = await database.flush(tenant, stepsOf(ids), resolutionsOf(ids));
  return rows.map((row) => {
    const own = (of: Row): boolean => of.operation_id === row.id;
    return record(row, stepRows.filter(own), said.filter(own));
  });
}

function record(row: Row, stepRows: readonly Row[], said: readonly Row[]): OperationRecord {
  const named = namedBy(row, stepRows, said);
  const state = row.state as OperationState;
  const answer = storedAnswer(row);
  if (answer.kind === 'none' || !isSettled(state))
    return {
      ...named,
      state: state as OpenState,
      settledAt: null,
      cancelRequestedAt: row.cancel_requested_at as Date | null,
      deadline: row.deadline as Date | null,
    };
  const settled = { ...named, settledAt: row.settled_at as Date, answer, renewable: row.renewable as boolean };
  return state === 'succeeded'
    ? { ...settled, state, result: answer.kind === 'kept' ? resultOf(answer.body.toString()) : null }
    : { ...settled, state, refusal: row.refusal as Refusal | null };
}

function namedBy(row: Row, stepRows: readonly Row[], said: readonly Row[]): Named {
  return {
    id: row.id as string,
    tenant: row.tenant as string,
    environment: row.environment as Environment,
    subject: row.subject as string,
    keySubject: row.key_subject as string,
    flow: row.flow as string,
    key: row.key as string,
    generation: row.generation as number,
    request: row.request as Record<string, unknown>,
    requestId: row.request_id as string,
    createdAt: row.created_at as Date,
    resolutions: said.map(resolutionRecord),
    trouble: troubleOf(row.trouble as TroubleRow | null),
    steps: stepRows.map((step) => ({
      name: step.name as string,
      state: step.state as StepState,
      attempts: step.attempts as number,
      epoch: step.epoch as number,
      refusal: step.refusal as Refusal | null,
      result: step.result,
      sentAt: step.sent_at as Date,
      endedAt: step.ended_at as Date | null,
    })),
  };
}

type TroubleRow = {
  readonly step: string;
  readonly undoing: boolean;
  readonly says: string;
  readonly since: string;
  readonly tries: number;
  readonly next_try_at: string;
  readonly needs_person: boolean;
};

function troubleOf(row: TroubleRow | null): Trouble | null {
  if (row === null) return null;
  const { step, undoing, says, tries, needs_person: needsPerson } = row;
  return { step, undoing, says, tries, needsPerson, since: new Date(row.since), nextTryAt: new Date(row.next_try_at) };
}
