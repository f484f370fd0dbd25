import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  firstStates,
  isSettled,
  moves,
  openStates,
  operationStates,
  type OperationState,
  stepStates,
} from '../../workflows/operation/state.ts';
import { filesUnder, readSource, readText } from '../repository/source-files.ts';
import { World } from '../support/world.ts';

const listed = new Set(openStates.flatMap((from) => moves[from].map((to) => `${from} → ${to}`)));
const pairs = operationStates.flatMap((from) => operationStates.map((to) => ({ from, to, name: `${from} → ${to}` })));

describe('the state of an operation', () => {
  let world: World;
  let sql: pg.Client;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false });
    sql = new pg.Client({ connectionString: world.databaseUrl });
    await sql.connect();
  });
  afterAll(async () => {
    await sql.end();
    await world.close();
  });

  it('moves by one list, which TypeScript, SQL and ARCHITECTURE.md share', async () => {
    const { rows } = await sql.query<{ from: string; to: string }>(
      `select f as "from", t as "to" from unnest($1::text[]) f, unnest($1::text[]) t where hapax.may_move(f, t)`,
      [operationStates],
    );
    expect(new Set(rows.map(({ from, to }) => `${from} → ${to}`))).toEqual(listed);
    const documented = [...readText('ARCHITECTURE.md').matchAll(/^\| `(?<from>\w+)` \| (?<to>(`\w+`(, )?)+) \|$/gm)];
    const inDocument = documented.flatMap(({ groups }) =>
      [...(groups?.to ?? '').matchAll(/\w+/g)].map(([to]) => `${groups?.from} → ${to}`),
    );
    expect(inDocument).toHaveLength(listed.size);
    expect(new Set(inDocument)).toEqual(listed);
  });

  it.each([
    ['operation', operationStates],
    ['step', stepStates],
  ] as const)('of an %s has the same words in TypeScript and in the check of its table', async (table, states) => {
    const { rows } = await sql.query<{ check: string }>(
      `select pg_get_constraintdef(oid) as check from pg_constraint where conname = $1`,
      [`${table}_state_check`],
    );
    const words = [...(rows[0]?.check ?? '').matchAll(/'(\w+)'/g)].map(([, word]) => word);
    expect(words).toEqual(states);
  });

  /** An operation that stands in a state, put there past the triggers, inside a transaction that is rolled back. */
  async function standing<T>(state: OperationState, work: (id: string) => Promise<T>): Promise<T> {
    const id = `op_${'m'.repeat(26)}`;
    await sql.query('begin');
    try {
      await sql.query('set local session_replication_role = replica');
      await insert(id, state);
      await sql.query('set local session_replication_role = origin');
      return await work(id);
    } finally {
      await sql.query('rollback');
    }
  }

  async function insert(id: string, state: OperationState): Promise<void> {
    await sql.query(
      `insert into hapax.operation (id, tenant, environment, subject, key_subject, flow, flow_version, key, generation,
         fingerprint, fingerprint_version, request, request_id, state, ending, settled_at, answer_expires_at, tombstone_until)
       select $1, 't', 'test', 's', 's', 'checkout', 1, 'k', 1, 'f', 1, '{}', 'r', $2, '{}', at, at, at
       from (select case when $3 then now() end as at) settled`,
      [id, state, isSettled(state)],
    );
  }

  it.each(pairs.filter(({ from, to }) => from !== to))(
    'goes $name only where the list has it',
    async ({ from, to, name }) => {
      const moved = standing(from, (id) =>
        sql.query(
          `update hapax.operation set state = $2, settled_at = at, answer_expires_at = at, tombstone_until = at
         from (select case when $3 then now() end as at) settled where id = $1`,
          [id, to, isSettled(to)],
        ),
      );
      if (listed.has(name)) expect((await moved).rowCount).toBe(1);
      else await expect(moved).rejects.toThrow(/cannot become/);
    },
  );

  it.each(operationStates)('begins as %s only where it may', async (state) => {
    await sql.query('begin');
    const inserted = insert(`op_${'n'.repeat(26)}`, state);
    if (firstStates.some((first) => first === state)) await inserted;
    else await expect(inserted).rejects.toThrow(/cannot begin as/);
    await sql.query('rollback');
  });

  it('is settled for good: nothing that belongs to a move is written any more', async () => {
    for (const state of operationStates.filter(isSettled)) {
      const again = standing(state, (id) => sql.query('select hapax.move($1, $2)', [id, state]));
      await expect(again).rejects.toMatchObject({ code: 'HX002' });
    }
  });

  it('is written by the claim and by one function', async () => {
    const { rows: functions } = await sql.query<{ name: string; text: string }>(
      `select proname as name, pg_get_functiondef(oid) as text from pg_proc where pronamespace = 'hapax'::regnamespace`,
    );
    const product = ['workflows', 'activities', 'client', 'workers'].flatMap(filesUnder);
    const statements = product
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => readSource(path).strings.map((text) => ({ name: path, text })));
    const writers = (does: (text: string) => boolean) =>
      [...functions, ...statements].filter(({ text }) => does(text)).map(({ name }) => name);
    expect(functions.length).toBeGreaterThan(10);
    expect(statements.length).toBeGreaterThan(1_000);
    expect(writers(updatesState)).toEqual(['move']);
    expect(writers(insertsOperation)).toEqual(['claim']);
  });

  it('is seen where a statement writes it', () => {
    const writing = [
      `update operation set looks = 0, state = 'running' where id = $1`,
      `UPDATE hapax.operation AS o\nSET (fence, state) = (1, 'running')`,
      `with a as (select 1) update operation o set updated_at = now(), state = $2 from a where id = $1`,
    ];
    const other = [
      `update operation set looks = 0 where state = 'running'`,
      `update step set state = 'done'`,
      `update operation o set looks = 0 from due where o.id = due.id returning state`,
    ];
    expect([...writing, ...other].filter(updatesState)).toEqual(writing);
    expect(insertsOperation('insert into hapax.operation as o (id')).toBe(true);
  });
});

function updatesState(text: string): boolean {
  const updates = text.matchAll(
    /\bupdate\s+(?:only\s+)?(?:hapax\.)?operation\b[^;]*?\bset\b(?<set>[^;]*?)(?:\bwhere\b|\bfrom\b|\breturning\b|;|$)/gi,
  );
  return [...updates].some(({ groups }) => /\bstate\b/i.test(groups?.set ?? ''));
}

function insertsOperation(text: string): boolean {
  return /\b(insert|merge)\s+into\s+(hapax\.)?operation\b/i.test(text);
}
