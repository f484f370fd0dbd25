import type { Environment, Scope } from '../../../workflows/operation/key.ts';
import type { OperationState } from '../../../workflows/operation/state.ts';
import type { Database } from './database.ts';
import { answerColumns, type StoredAnswer, storedAnswer } from './stored-answer.ts';

export type Claim = {
  readonly id: string;
  readonly scope: Scope;
  /** Who asks; `scope.subject` is empty where the flow shares its keys over the tenant. */
  readonly subject: string;
  readonly generation: number;
  readonly flowVersion: number;
  readonly fingerprint: string;
  readonly fingerprintVersion: number;
  readonly request: Readonly<Record<string, unknown>>;
  readonly requestId: string;
  readonly state: 'claimed' | 'waiting';
  /** From now, in milliseconds, until a wait for the caller gives up; null where the flow does not wait. */
  readonly deadline: number | null;
  /** false only looks: the caller may not begin anything new now. */
  readonly insert: boolean;
};

export type Claimed = {
  readonly created: boolean;
  readonly id: string;
  readonly environment: Environment;
  readonly generation: number;
  readonly fingerprint: string;
  readonly fingerprintVersion: number;
  readonly state: OperationState;
  readonly requestId: string;
  readonly started: boolean;
  readonly renewable: boolean;
  readonly deadline: Date | null;
  readonly ageMs: number;
  readonly answer: StoredAnswer;
};

const returned = `id, environment, generation, fingerprint, fingerprint_version, state, request_id, run_id, renewable,
  deadline, extract(epoch from now() - created_at) * 1000 as age_ms, ${answerColumns}`;

/**
 * The claim decides who goes first. Guarded by operation_has_one_name, so that of any number of claims one inserts.
 * A loser whose snapshot is older than the winner's commit sees neither row (4–19 of 500 at once): it asks again.
 */
const text = `
with inserted as (
  insert into operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation,
                         fingerprint, fingerprint_version, request, request_id, state, deadline)
  select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, now() + $15 * interval '1 millisecond'
  where $16 and not exists (
    select from operation
    where tenant = $2 and environment = $3 and key_subject = $5 and flow = $6 and key = $8
      and (generation >= $9 or (generation = $9 - 1 and not renewable)))
  on conflict do nothing
  returning *
), latest as (
  select * from operation
  where tenant = $2 and environment = $3 and key_subject = $5 and flow = $6 and key = $8
    and not exists (select from inserted)
  order by generation desc limit 1
)
select true as created, ${returned} from inserted
union all
select false as created, ${returned} from latest`;

/** Snapshots heal at once; more repeats than this mean that something else is wrong. */
const repeats = 20;

/**
 * Takes the operation's name, or gives the row that has it. Committed when this returns.
 * @returns undefined where the name is free and nothing was to be inserted
 * @throws LedgerFault `unavailable`
 */
export async function claim(database: Database, asked: Claim): Promise<Claimed | undefined> {
  const { scope } = asked;
  const values = [
    asked.id,
    scope.tenant,
    scope.environment,
    asked.subject,
    scope.subject,
    scope.flow,
    asked.flowVersion,
    scope.key,
    asked.generation,
    asked.fingerprint,
    asked.fingerprintVersion,
    asked.request,
    asked.requestId,
    asked.state,
    asked.deadline,
    asked.insert,
  ];
  for (let n = 0; n < repeats; n += 1) {
    const [rows] = await database.flush(scope.tenant, { name: 'claim', text, values });
    const row = rows?.[0];
    if (row !== undefined)
      return {
        created: row.created as boolean,
        id: row.id as string,
        environment: row.environment as Environment,
        generation: row.generation as number,
        fingerprint: row.fingerprint as string,
        fingerprintVersion: row.fingerprint_version as number,
        state: row.state as OperationState,
        requestId: row.request_id as string,
        started: row.run_id !== null,
        renewable: row.renewable as boolean,
        deadline: row.deadline as Date | null,
        ageMs: Number(row.age_ms),
        answer: storedAnswer(row),
      };
    if (!asked.insert) return undefined;
  }
  throw new Error(`The claim of ${asked.id} saw no row in ${repeats} tries`);
}
