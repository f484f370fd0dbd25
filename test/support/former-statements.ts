import type { Database, Row, Statement, Transaction } from '../../activities/stores/postgres/database.ts';

/**
 * A frozen copy of what the build before migration 0018 asks of the ledger where this one asks otherwise. It goes when
 * the functions go that stay for one release.
 */
const frozen = {
  hold: 'select hold($1, $2, $3, $4)',
  take: `
with taken as (
  update operation
  set fence = fence + 1, run_id = $2, updated_at = now(),
      state = case state when 'claimed' then 'running' else state end
  where id = $1 and settled_at is null
  returning *
)
select true as taken, state, fence, request, request_id, ending, extract(epoch from deadline) * 1000 as deadline,
  extract(epoch from now() - case
    when deadline is null then created_at
    else greatest(created_at, (select max(ended_at) from step where operation_id = $1 and state = 'done')) end) * 1000 as age,
  no_return_at is not null as forward,
  (select coalesce(jsonb_object_agg(name, result), '{}') from step where operation_id = $1 and state = 'done') as done
from taken
union all
select false, state, fence, null, null, null, null, null, null, null from operation
where id = $1 and not exists (select from taken)`,
  end_wait: `update operation set state = 'running', updated_at = now() where id = $1 and state = 'waiting'`,
  turn_to_compensating: `
update operation set state = 'compensating', ending = coalesce(ending, $2), updated_at = now()
where id = $1 and not exists (
  select from step where operation_id = $1 and (irreversible or (no_return and not $3)) and state in ('sent', 'unknown', 'done'))
returning ending`,
  settle: `
with settled as (
  update operation
  set state = $2, answer_status = $3, answer_headers = $4, answer_body = $5, result = $6, refusal = $7, renewable = $8,
      settled_at = now(), updated_at = now(),
      answer_expires_at = now() + $9 * interval '1 millisecond',
      tombstone_until = now() + $10 * interval '1 millisecond',
      sweep_at = now() + $11 * interval '1 millisecond'
  where id = $1 and settled_at is null
    and ($12::text is null or exists (select from step where operation_id = $1 and name = $12 and state = 'done'))
  returning id, state, renewable, flow_version, answer_status, answer_headers, answer_body, answer_expires_at, tenant
)
select pg_notify((select name from news_channel), case
  when octet_length(answer_body) + octet_length(answer_headers::text) < 5000
  then jsonb_build_object('id', id, 'tenant', tenant, 'state', state, 'renewable', renewable, 'flowVersion', flow_version,
    'status', answer_status, 'headers', answer_headers, 'body', encode(answer_body, 'base64'),
    'expiresAt', answer_expires_at)::text
  else jsonb_build_object('id', id, 'tenant', tenant)::text end)
from settled`,
  // What the former build asked in two or three statements stands in one here, where this build asks in one.
  begin_wait: `
with begun as (
  insert into step (operation_id, tenant, name, position, state, request)
  select id, tenant, $2, $3, 'sent', 'null' from operation where id = $1 and $4::float8 is not null
  on conflict (operation_id, name) do nothing
)
select cancel_requested_at is not null as cancelled,
  greatest(0, extract(epoch from deadline - now()) * 1000) as remaining_ms
from operation where id = $1`,
  close_wait: `
insert into transfer (operation_id, tenant, outcome)
select id, tenant, 'closed' from operation where id = $1 and deadline <= now() and $2 = 'receive'
on conflict (operation_id) do nothing`,
  wait_outcome: `
select case outcome when 'received' then 'arrived' else outcome end as outcome,
  jsonb_build_object('method', method, 'objectKey', object_key, 'size', size, 'sha256', sha256, 'sniffedType', sniffed_type)
    as evidence
from transfer where operation_id = $1 and $2 = 'receive'`,
  arrive: `
with open as (
  select id, tenant from operation
  where id = $1 and state in ('claimed', 'running', 'waiting') and cancel_requested_at is null
    and (deadline > now() or $6) and $2 = 'receive' and $3::integer = 0 and $5::text is not null
  for no key update
), received as (
  insert into transfer (operation_id, tenant, outcome, method, object_key, size, sha256, sniffed_type)
  select id, tenant, 'received', $4::jsonb ->> 'method', $4::jsonb ->> 'objectKey', ($4::jsonb ->> 'size')::bigint,
    $4::jsonb ->> 'sha256', $4::jsonb ->> 'sniffedType'
  from open
  on conflict (operation_id) do nothing
  returning operation_id
), moved as (
  update operation set state = 'running', updated_at = now(),
    next_look_at = least(next_look_at, now() + interval '2 seconds')
  where id in (select operation_id from received) and state in ('claimed', 'waiting')
)
select case when exists (select from received) then 'arrived' else 'due' end as outcome, $4::jsonb as counts`,
} as const;

/** Counts what was asked in the words of each build. */
export type Spoken = { former: number; present: number };

/**
 * A database to which each transaction is spoken in the words of the former build, or of this one.
 * @param former which of the two, asked once for each transaction
 */
export function bilingual(
  database: Database,
  former: () => boolean,
  spoken: Spoken = { former: 0, present: 0 },
): Database {
  const flush: Database['flush'] = async (tenant, ...statements) => {
    const [asked, heard] = words(former(), spoken);
    return heard(statements, await database.flush(tenant, ...statements.map(asked)));
  };
  const transaction: Database['transaction'] = async (tenant, opening, work) => {
    const [asked, heard] = words(former(), spoken);
    return await database.transaction(tenant, opening.map(asked), async (tx, opened) => {
      const inside: Transaction = {
        ...tx,
        run: async (...statements) => heard(statements, await tx.run(...statements.map(asked))),
      };
      const { value, closing } = await work(inside, heard(opening, opened));
      return { value, closing: closing.map(asked) };
    });
  };
  return new Proxy(database, {
    get(target, member) {
      if (member === 'flush') return flush;
      if (member === 'transaction') return transaction;
      const value = Reflect.get(target, member, target) as unknown;
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

type Asked = (statement: Statement) => Statement;
type Heard = (statements: readonly Statement[], rows: Row[][]) => Row[][];

function words(former: boolean, spoken: Spoken): [Asked, Heard] {
  const differs = ({ name }: Statement): boolean => name === 'enter' || name in frozen;
  const asked: Asked = (statement) => {
    if (!differs(statement)) return statement;
    spoken[former ? 'former' : 'present'] += 1;
    return former ? formerly(statement) : statement;
  };
  const heard: Heard = (statements, rows) =>
    former ? rows.map((some, n) => (statements[n]?.name === 'take' ? some.map(taken) : some)) : rows;
  return [asked, heard];
}

/** Both builds never share a connection: here they do, so that names differ. */
function formerly({ name, values }: Statement): Statement {
  if (name === 'enter') return { name: 'hold', text: frozen.hold, values: [values[0], values[1], ...phrase(values)] };
  return { name: `former_${name}`, text: frozen[name as keyof typeof frozen], values };
}

function phrase([, , kind, step, effect, noReturn]: readonly unknown[]): readonly unknown[] {
  if (kind === 'step') return [`${String(effect)} step${noReturn === true ? ' of no return' : ''}`, step];
  return [kind === 'record' ? 'settle' : kind, null];
}

function taken({ deadline, age, ...row }: Row): Row {
  return { ...row, deadline_ms: deadline, age_ms: age };
}
