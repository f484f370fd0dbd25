import { setTimeout } from 'node:timers/promises';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { z } from 'zod';
import { unguarded } from '../../activities/engine/guard.ts';
import type { Json } from '../../activities/engine/json.ts';
import { type RowStep, rowActivities } from '../../activities/engine/row-step.ts';
import { statementActivities } from '../../activities/engine/statement-step.ts';
import { Refused } from '../../activities/stores/outcomes/refused.ts';
import type { RowClient } from '../../activities/stores/postgres/callback/row-client.ts';
import { Database, type Transaction } from '../../activities/stores/postgres/database.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import { compensate } from '../../activities/stores/postgres/ledger/compensate.ts';
import { take } from '../../activities/stores/postgres/ledger/take.ts';
import type { OperationRef, Settlement, StepCall } from '../../workflows/operation/call.ts';
import { entryTable, guestbookIn, sign } from '../flows/guestbook/entry-steps.ts';
import { claimedOperation } from '../support/claimed-operation.ts';
import { checkoutScope } from '../support/lane.ts';
import { World } from '../support/world.ts';

type Input = { readonly page: string; readonly words: string };
type Run<Result extends Json = Json> = RowStep<Input, Result>['run'];

const insertion = 'insert into guestbook.entry (operation_id, tenant, page, words) values ($1, $2, $3, $4)';
/** Ends a `Run` that has written its entry. */
const written =
  (then: (tx: RowClient, ...given: Parameters<Run> extends [unknown, ...infer Rest] ? Rest : never) => unknown): Run =>
  async (tx, input, about) => {
    await tx.query(insertion, [about.operation, about.tenant, input.page, input.words]);
    await then(tx, input, about);
    return { done: true };
  };
const swallowed = (tx: RowClient, text: string) => tx.query(text).catch(() => undefined);

/** What a step's code must not do, and what the ledger says of it. */
const misdeeds: Readonly<Record<string, readonly [Run, RegExp]>> = {
  commits: [written((tx) => tx.query('commit')), /cannot run `commit`/],
  'commits in brackets of comments': [written((tx) => tx.query(' /* a /* b */ */ -- c\n COMMIT')), /`commit`/],
  'commits, and swallows the error': [written((tx) => swallowed(tx, 'commit and chain')), /`commit`/],
  'commits by the other word': [written((tx) => tx.query({ text: 'end' })), /`end`/],
  'rolls back': [written((tx) => swallowed(tx, 'rollback')), /`rollback`/],
  begins: [written((tx) => swallowed(tx, 'begin')), /`begin`/],
  'begins a transaction of kysely': [
    written((tx) =>
      guestbookIn(tx)
        .transaction()
        .execute(async () => undefined),
    ),
    /`begin`/,
  ],
  'begins a transaction of drizzle': [written((tx) => drizzle(tx).transaction(async () => undefined)), /`begin`/],
  'makes a savepoint': [written((tx) => tx.query('savepoint mine')), /`savepoint`.*on conflict/],
  'hides a commit behind another statement': [written((tx) => tx.query('select 1; commit')), /multiple commands/],
  'hides it, and swallows the error': [written((tx) => swallowed(tx, 'select 1; commit')), /multiple commands/],
  'hides a commit in code of the server': [written((tx) => swallowed(tx, 'do $$ begin commit; end $$')), /`do`/],
  'swallows an error of SQL': [written((tx) => swallowed(tx, 'select * from nowhere')), /nowhere/],
  'swallows an error of its own rule': [
    written((tx, { page }, { operation, tenant }) =>
      tx.query(insertion, [operation, tenant, page, 'again']).catch(() => undefined),
    ),
    /entry_pkey/,
  ],
  'does not await a query': [written((tx) => void tx.query('select pg_sleep(0.2)')), /not awaited/],
  'does not await a query of kysely': [
    written((tx) => void guestbookIn(tx).updateTable('guestbook.entry').set({ words: 'late' }).execute()),
    /not awaited/,
  ],
  'does not await a query of drizzle': [
    written(
      (tx) =>
        void drizzle(tx)
          .execute('select 1')
          .then(() => undefined),
    ),
    /not awaited/,
  ],
  'is silent for longer than a transaction may be idle': [written(() => setTimeout(3_500)), /cannot be used now/],
  'never returns': [() => new Promise(() => undefined), /not returned within 6000 ms/],
  'asks without a text': [written((tx) => tx.query({} as pg.QueryConfig)), /is a text/],
  'gives values that are no array': [written((tx) => tx.query('select $1', { a: 1 } as never)), /array of values/],
  'gives a callback': [written((tx) => tx.query('select 1', () => undefined)), /callback/],
  'opens a cursor': [written((tx) => tx.query('declare c cursor for select 1')), /`declare`/],
  'asks for rows in parts': [written((tx) => tx.query({ text: 'select 1', rows: 1 } as pg.QueryConfig)), /cursors/],
  'sends a query of a class of its own': [written((tx) => tx.query(new pg.Query('select 1')) as unknown), /cursors/],
  copies: [written((tx) => tx.query('copy guestbook.entry from stdin')), /`copy`/],
  listens: [written((tx) => tx.query('listen news')), /`listen`/],
  'sets what would outlive it': [written((tx) => tx.query('set search_path = public')), /`set`/],
  'prepares what would outlive it': [written((tx) => tx.query('prepare hold as select 1')), /`prepare`/],
  'asks for nothing': [written((tx) => tx.query('')), /empty query/],
  'takes another role': [
    written((tx) => tx.query(`select set_config('role', 'hapax_upkeep', true)`)),
    /role is another one/,
  ],
  'takes another tenant': [
    written((tx) => tx.query(`select set_config('hapax.tenant', 'beta', true)`)),
    /tenant is another one/,
  ],
};

describe('a row step', () => {
  let world: World;
  let database: Database;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false });
    await world.sql(entryTable);
    database = new Database(world.databaseUrl, 'hapax_app');
  });
  afterAll(async () => {
    await database.close();
    await world.close();
  });

  type Begun = { readonly operation: OperationRef; readonly call: StepCall };

  async function begun(name: string, more: Partial<StepCall> = {}): Promise<Begun> {
    const operation = await claimedOperation(database, checkoutScope(world, name.replaceAll(/[^a-z]+/g, '-')));
    const opens = 'the run';
    const input = { page: operation.id, words: 'Hello' } satisfies Input;
    const step = { step: 'sign', position: 0, input, carry: [], effect: 'transaction', noReturn: false } as const;
    const call = { operation, fence: 1, opens, ...step, irreversible: false, personAfter: 60_000, patience: 60_000 };
    return { operation, call: { ...call, ...more } };
  }

  const tried = (run: Run, { call }: Begun, on = database) => rowActivities(on, { run }).step(call, unguarded);

  async function left({ id }: OperationRef) {
    const [row] = await world.sql(
      `select state, fence::int, (select count(*)::int from guestbook.entry where operation_id = id) as entries,
         (select coalesce(array_agg(name || ' ' || step.state), '{}') from hapax.step where operation_id = id) as steps
       from hapax.operation where id = $1`,
      id,
    );
    return row;
  }
  const nothing = { state: 'claimed', fence: 0, entries: 0, steps: [] };
  const signed = { state: 'running', fence: 1, entries: 1, steps: ['sign done'] };
  const wrote: Run = written(() => undefined);

  it.each(Object.entries(misdeeds))(
    'that %s has done nothing, and is done by the next try',
    async (name, [run, says]) => {
      const one = await begun(name);
      const error: unknown = await tried(run, one).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(LedgerFault);
      expect((error as Error).message).toMatch(says);
      expect(await left(one.operation)).toEqual(nothing);
      expect(await tried(wrote, one)).toEqual({ result: { done: true } });
      expect(await left(one.operation)).toEqual(signed);
    },
  );

  describe('whose code gets at the connection behind the client', () => {
    /** Runs `work` on the ledger's own transaction, which no step is given. */
    async function behind(name: string, work: (tx: Transaction) => Promise<unknown>): Promise<Begun> {
      const one = await begun(name, { settlement });
      let inside!: Transaction;
      const open: Database['transaction'] = (tenant, opening, inner) =>
        database.transaction(tenant, opening, async (tx, opened) => {
          inside = tx;
          return await inner(tx, opened);
        });
      const leaky = new Proxy(database, {
        get: (target, member) => (member === 'transaction' ? open : (Reflect.get(target, member, target) as unknown)),
      });
      const run = written(() => work(inside));
      await expect(tried(run, one, leaky)).rejects.toMatchObject({ code: 'broken' });
      return one;
    }

    it.each(['commit', 'commit and chain', 'commit; begin'])('and says %s there is not done', async (text) => {
      const { operation } = await behind(text, (tx) => tx.query({ text }));
      expect(await left(operation)).toEqual({ state: 'running', fence: 1, entries: 1, steps: ['sign sent'] });
    });

    it('and begins another transaction there that looks the same is not done', async () => {
      const text = `commit; begin; set local hapax.tenant = '${world.tenants.alpha}'`;
      const { operation } = await behind('another', (tx) => tx.query({ text }));
      expect(await left(operation)).toEqual({ state: 'running', fence: 1, entries: 1, steps: ['sign sent'] });
    });

    it('and rolls back there is not done, and has done nothing', async () => {
      const { operation } = await behind('rolled back', (tx) => tx.query({ text: 'rollback; begin' }));
      expect(await left(operation)).toEqual(nothing);
    });

    it('and swallows an error there is not done, and has done nothing', async () => {
      const { operation } = await behind('an error', (tx) => tx.query({ text: 'bad' }).catch(() => undefined));
      expect(await left(operation)).toEqual(nothing);
    });
  });

  it('whose commit is answered by ROLLBACK is not done, whatever transaction it is', async () => {
    const swallow = database.transaction(world.tenants.alpha, [], async (tx) => {
      await tx.query({ text: 'bad' }).catch(() => undefined);
      return { value: 'done', closing: [] };
    });
    await expect(swallow).rejects.toMatchObject({ code: 'broken', message: expect.stringContaining('rolled it back') });
  });

  it('that says no has failed, its writes are taken back, and the operation is opened all the same', async () => {
    const one = await begun('says no');
    const run = written(() => Promise.reject(new Refused(refusal)));
    await expect(tried(run, one)).rejects.toMatchObject({ type: 'refused', nonRetryable: true, details: [refusal, 1] });
    expect(await left(one.operation)).toEqual({ state: 'running', fence: 1, entries: 0, steps: ['sign sent'] });
  });

  it('may say no because of a rule of the database', async () => {
    const one = await begun('rule');
    const run: Run = async (tx, { page }, { operation, tenant }) => {
      await tx.query(insertion, [operation, tenant, page, 'boo']).catch((error: { constraint?: string }) => {
        throw new Refused({ code: 'out-of-stock', detail: `${error.constraint}` });
      });
      return null;
    };
    await expect(tried(run, one)).rejects.toMatchObject({ type: 'refused', message: 'words_are_kind' });
    expect(await left(one.operation)).toMatchObject({ entries: 0, steps: ['sign sent'] });
  });

  it('whose commit was answered by a lost connection finds itself done, and its code does not run again', async () => {
    const one = await begun('lost answer');
    const lossy: Database['transaction'] = async (...given) => {
      await database.transaction(...given);
      throw new LedgerFault('unavailable', 'a test');
    };
    const without = new Proxy(database, {
      get: (target, member) => (member === 'transaction' ? lossy : (Reflect.get(target, member, target) as unknown)),
    });
    await expect(tried(wrote, one, without)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await left(one.operation)).toEqual(signed);
    const { opens: _, ...again } = one.call;
    let runs = 0;
    const counted: Run = async (...given) => {
      runs += 1;
      return await wrote(...given);
    };
    expect(await tried(counted, { ...one, call: again })).toEqual({ result: { done: true } });
    expect(runs).toBe(0);
    expect(await left(one.operation)).toEqual(signed);
  });

  it('that is the last one settles with its effect, and not without', async () => {
    const one = await begun('last', { settlement });
    await expect(
      tried(
        written(() => Promise.reject(new Error('a bug'))),
        one,
      ),
    ).rejects.toThrow('a bug');
    expect(await left(one.operation)).toEqual(nothing);
    await tried(wrote, one);
    expect(await left(one.operation)).toEqual({ ...signed, state: 'succeeded' });
  });

  it('of an operation that was taken over writes nothing', async () => {
    const one = await begun('taken over');
    await tried(wrote, one);
    await take(database, one.operation, 'another run');
    const { opens: _, ...late } = one.call;
    await expect(tried(wrote, { ...one, call: { ...late, step: 'second' } })).rejects.toMatchObject({ type: 'fenced' });
    expect(await left(one.operation)).toMatchObject({ entries: 1, steps: ['sign done'] });
  });

  it('may name its queries as the ledger does, and harms none of its statements', async () => {
    const only = new Database(world.databaseUrl, 'hapax_app', 1);
    const names = ['record_result', 'transaction_identity'];
    const named = written((tx) => Promise.all(names.map((name) => tx.query({ name, text: 'select 1' }))));
    await tried(named, await begun('named'), only);
    const one = await begun('named after it');
    await tried(wrote, one, only);
    expect(await left(one.operation)).toEqual(signed);
    await only.close();
  });

  it('refuses its client once it has ended', async () => {
    const one = await begun('kept');
    let kept: RowClient | undefined;
    await tried(
      written((tx) => void (kept = tx)),
      one,
    );
    await expect(kept?.query('select 1')).rejects.toThrow('has ended');
  });

  it('that is one statement gives the story nothing of another form than it declares', async () => {
    const one = await begun('one statement');
    const recorded = `select step_done($1, $2, '{"line": "one"}') as done`;
    const { step } = statementActivities<Input, { line: number }>(database, {
      effect: (_input, about) => ({ name: 'misrecorded', text: recorded, values: [about.operation, about.step] }),
      result: z.object({ line: z.number() }),
      refusal: () => expect.unreachable(),
    });
    await expect(step(one.call, unguarded)).rejects.toThrow('expected number');
    const { opens: _, ...again } = one.call;
    await expect(step(again, unguarded)).rejects.toThrow('expected number');
  });

  it('is undone once, under the same rules', async () => {
    const one = await begun('undone');
    await rowActivities(database, sign).step(one.call, unguarded);
    await compensate(database, { operation: one.operation, fence: 1 }, [], { state: 'cancelled', refusal });
    const call = { operation: one.operation, fence: 1, step: 'sign', personAfter: 60_000, carry: [] };
    const committing = rowActivities<Input, null>(database, {
      run: async () => null,
      undo: async (tx) => void (await tx.query('commit')),
    });
    await expect(committing.undo?.(call, unguarded)).rejects.toThrow('cannot run `commit`');
    expect(await left(one.operation)).toEqual({ ...signed, state: 'compensating' });
    await rowActivities(database, sign).undo?.(call, unguarded);
    expect(await left(one.operation)).toMatchObject({ entries: 0, steps: ['sign undone'] });
    await expect(rowActivities(database, sign).undo?.(call, unguarded)).resolves.toEqual({ result: null });
  });
});

const refusal = { code: 'out-of-stock', detail: 'No more.' } as const;
const result = { line: 1 };
const settlement: Settlement = {
  outcome: { state: 'succeeded', result },
  requestId: 'a test',
  renewable: false,
  keep: { response: 1_000, tombstone: 2_000 },
  sweepAfter: null,
};
