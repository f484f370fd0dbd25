import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { beginStep } from '../../activities/stores/postgres/ledger/begin-step.ts';
import { compensate } from '../../activities/stores/postgres/ledger/compensate.ts';
import { recordSteps } from '../../activities/stores/postgres/ledger/enter.ts';
import { take } from '../../activities/stores/postgres/ledger/take.ts';
import type { Ending, Hold, StepCall } from '../../workflows/operation/call.ts';
import { minutes } from '../../workflows/operation/duration.ts';
import { claimedOperation } from '../support/claimed-operation.ts';
import { checkoutScope } from '../support/lane.ts';
import { World } from '../support/world.ts';

describe('what a story tells the ledger again', () => {
  let world: World;
  let database: Database;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false });
    database = new Database(world.databaseUrl, 'hapax_app', 4);
  });
  afterAll(async () => {
    await database.close();
    await world.close();
  });

  async function held(name: string): Promise<Hold> {
    const operation = await claimedOperation(database, checkoutScope(world, name));
    const taken = await take(database, operation, name);
    return { operation, fence: taken.kind === 'taken' ? taken.fence : expect.unreachable() };
  }

  it('a step that was left out and is tried anew has not ended, and shows its trouble again', async () => {
    const hold = await held('anew');
    const call: StepCall = {
      ...{ ...hold, step: 'reserve', position: 0, effect: 'keyed', input: {}, attempt: 1, carry: [] },
      ...{ noReturn: false, irreversible: false, patience: minutes(10), optional: true },
    } as unknown as StepCall;
    const ended = async () =>
      (await world.sql('select state, ended_at from hapax.step where operation_id = $1', hold.operation.id))[0];
    await database.flush(hold.operation.tenant, ...beginStep(call, {}));
    const refusal = { code: 'step-failed', detail: 'It was left out.' } as const;
    const leftOut = { step: 'reserve', position: 0, attempt: 1, state: 'unknown', refusal } as const;
    await database.flush(hold.operation.tenant, recordSteps(hold, [leftOut]));
    expect(await ended()).toEqual({ state: 'unknown', ended_at: expect.any(Date) });
    await database.flush(hold.operation.tenant, ...beginStep(call, {}));
    expect(await ended()).toEqual({ state: 'unknown', ended_at: null });
  });

  it('an ending that was decided stays, whatever another run decides', async () => {
    const hold = await held('ended twice');
    const ending = (state: 'refused' | 'cancelled'): Ending => ({
      state,
      refusal: { code: state === 'refused' ? 'stopped-by-operator' : 'cancelled', detail: 'A test says so.' },
    });
    expect(await compensate(database, hold, [], ending('refused'))).toMatchObject({ ending: ending('refused') });
    expect(await compensate(database, hold, [], ending('cancelled'))).toMatchObject({
      kind: 'undo',
      ending: ending('refused'),
    });
  });
});
