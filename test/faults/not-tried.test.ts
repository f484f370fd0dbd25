import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database, type Statement } from '../../activities/stores/postgres/database.ts';
import { beginStep, begun } from '../../activities/stores/postgres/ledger/begin-step.ts';
import { beginUndo, undoing } from '../../activities/stores/postgres/ledger/begin-undo.ts';
import { compensate } from '../../activities/stores/postgres/ledger/compensate.ts';
import { recordSteps } from '../../activities/stores/postgres/ledger/enter.ts';
import { take } from '../../activities/stores/postgres/ledger/take.ts';
import { undoNotTried } from '../../activities/stores/postgres/ledger/undo-not-tried.ts';
import { notTried, turnedAway } from '../../activities/stores/postgres/ledger/unsent.ts';
import { claimedOperation } from '../support/claimed-operation.ts';
import { checkoutScope } from '../support/lane.ts';
import { World } from '../support/world.ts';

const step = { step: 'openPayment', position: 1, carry: [], personAfter: 60_000 } as const;
const begin = { ...step, input: {}, effect: 'keyed', noReturn: false, irreversible: false, patience: 60_000 } as const;

describe('a try that our own protection turns away', () => {
  let world: World;
  let database: Database;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false });
    database = new Database(world.databaseUrl, 'hapax_app');
  });
  afterAll(async () => {
    await database.close();
    await world.close();
  });

  /** An operation that is held, and the tries of its step. */
  async function held(key: string) {
    const operation = await claimedOperation(database, checkoutScope(world, key));
    await take(database, operation, 'a run');
    const hold = { operation, fence: 1 };
    const call = { ...hold, ...begin };
    const { tenant } = operation;
    return {
      hold,
      operation,
      tried: async () => begun((await database.flush(tenant, ...beginStep(call, {}))).at(-1)),
      undone: async () => undoing((await database.flush(tenant, ...beginUndo({ ...hold, ...step }))).at(-1)),
      flush: async (...made: Statement[]) => await database.flush(tenant, ...made),
      call,
      row: async () =>
        (
          await world.sql(
            `select state, attempt, now() - sent_at < interval '1 minute' as fresh from hapax.step where operation_id = $1`,
            operation.id,
          )
        )[0],
    };
  }

  it('leaves the step as if nobody had tried it, and its key is as old as the first try that is sent', async () => {
    const { tried, flush, call, row, operation } = await held('not-tried');
    expect(await tried()).toMatchObject({ state: 'sent', attempt: 1 });
    await flush(...notTried(call, 1));
    expect(await row()).toMatchObject({ state: 'planned', attempt: 0 });
    await world.sql(`update hapax.step set sent_at = now() - interval '2 days' where operation_id = $1`, operation.id);
    expect(await tried()).toMatchObject({ state: 'sent', attempt: 1 });
    expect(await row()).toMatchObject({ fresh: true });
  });

  it('is told from one that the outside has turned away, which was sent', async () => {
    const { tried, flush, call } = await held('turned-away');
    await tried();
    await flush(...turnedAway(call, 1, 0));
    expect(await tried()).toMatchObject({ state: 'sent', attempt: 2 });
    await flush(...notTried(call, 2));
    expect(await tried()).toMatchObject({ state: 'sent', attempt: 2 });
  });

  it('does not clear the doubt of an earlier one, and a try that was overtaken clears nothing', async () => {
    const { tried, flush, call, row } = await held('doubt');
    await tried();
    expect(await tried()).toMatchObject({ state: 'unknown', attempt: 2 });
    await flush(...notTried(call, 1));
    expect(await row()).toMatchObject({ state: 'unknown', attempt: 2 });
    await flush(...notTried(call, 2));
    expect(await row()).toMatchObject({ state: 'unknown', attempt: 1 });
    expect(await tried()).toMatchObject({ state: 'unknown', attempt: 2 });
  });

  it('does not count as the newest send, from which the next pause is measured', async () => {
    const { tried, flush, call, operation } = await held('newest');
    expect((await tried()).since).toBeUndefined();
    const longAgo = `now() - interval '1 hour'`;
    await world.sql(`update hapax.step set sent_at = ${longAgo} where operation_id = $1`, operation.id);
    expect((await tried()).since).toBeCloseTo(3_600_000, -5);
    await flush(...notTried(call, 2));
    expect(await tried()).toMatchObject({ attempt: 2, since: expect.closeTo(3_600_000, -5) });
    expect((await tried()).since).toBeLessThan(60_000);
    await flush(...notTried(call, 3));
    await world.sql(`update hapax.step set last_sent_at = ${longAgo} where operation_id = $1`, operation.id);
    for (let n = 0; n < 2; n += 1) {
      expect(await tried()).toMatchObject({ attempt: 3, since: expect.closeTo(3_600_000, -5) });
      await flush(...notTried(call, 3));
    }
  });

  it('brings times back to now that a clock which was set back has left in the future', async () => {
    const { tried, flush, call, operation } = await held('clock');
    await tried();
    await flush(...turnedAway(call, 1, 200_000));
    expect((await tried()).asked).toBeCloseTo(200_000, -5);
    await flush(...notTried(call, 2));
    expect((await tried()).asked).toBeCloseTo(200_000, -5);
    await flush(...notTried(call, 2));
    const ahead = `now() + interval '11 minutes'`;
    await world.sql(
      `update hapax.step set sent_at = ${ahead}, last_sent_at = ${ahead}, not_before = ${ahead} where operation_id = $1`,
      operation.id,
    );
    expect((await tried()).since).toBeLessThan(-600_000);
    await flush(...notTried(call, 2));
    const again = await tried();
    expect(again.since).toBeGreaterThanOrEqual(0);
    expect(again.asked).toBeLessThanOrEqual(0);
  });

  it('asks for no pause that nobody has asked for', async () => {
    const { tried, flush, call } = await held('no pause');
    await tried();
    await flush(...notTried(call, 1));
    expect((await tried()).asked).toBe(0);
    await tried();
    await flush(...notTried(call, 2));
    expect((await tried()).asked).toBe(0);
  });

  it('leaves a step that is to be undone as it was, and the next try of the undo is the first', async () => {
    const { tried, undone, flush, hold, row, operation } = await held('undo');
    await tried();
    const done = { step: step.step, position: 1, attempt: 1, state: 'done', result: {} } as const;
    await flush(recordSteps(hold, [done]));
    const refusal = { code: 'cancelled', detail: 'A test.' } as const;
    await compensate(database, { operation, fence: 1 }, [], { state: 'cancelled', refusal });
    expect(await undone()).toMatchObject({ before: 'done', attempt: 2 });
    await flush(...undoNotTried({ ...hold, ...step }, 2, 'done'));
    expect(await row()).toMatchObject({ state: 'done', attempt: 1 });
    expect(await undone()).toMatchObject({ before: 'done', attempt: 2, sends: 1 });
    expect(await undone()).toMatchObject({ before: 'undoing', attempt: 3, sends: 2 });
  });
});
