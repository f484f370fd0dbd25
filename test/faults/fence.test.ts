import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createActivities } from '../../activities/create-activities.ts';
import { SystemGuards } from '../../activities/engine/system-guards.ts';
import { beginStep } from '../../activities/stores/postgres/ledger/begin-step.ts';
import { beginUndo } from '../../activities/stores/postgres/ledger/begin-undo.ts';
import { lookAtWait } from '../../activities/stores/postgres/ledger/begin-wait.ts';
import { claim } from '../../activities/stores/postgres/ledger/claim.ts';
import { Database, type Statement } from '../../activities/stores/postgres/database.ts';
import { nextEpoch, nextUndoEpoch } from '../../activities/stores/postgres/ledger/next-epoch.ts';
import { take } from '../../activities/stores/postgres/ledger/take.ts';
import { undoNotTried } from '../../activities/stores/postgres/ledger/undo-not-tried.ts';
import { notTried, turnedAway } from '../../activities/stores/postgres/ledger/unsent.ts';
import type { Hold, LedgerMoves, OperationRef } from '../../workflows/operation/call.ts';
import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from '../support/lane.ts';
import { World } from '../support/world.ts';

const refusal = { code: 'cancelled', detail: 'A test.' } as const;
const settlement = {
  outcome: { state: 'cancelled', refusal },
  requestId: 'a test',
  renewable: false,
  keep: { response: 1_000, tombstone: 2_000 },
  sweepAfter: null,
} as const;
const step = { step: 'openPayment', position: 1, carry: [], personAfter: 60_000 } as const;
const begin = { ...step, input: {}, effect: 'keyed', noReturn: false, irreversible: false, patience: 60_000 } as const;

/** Everything that a run may ask of the ledger, as it reaches PostgreSQL. */
const writes: Readonly<Record<string, (held: Hold, moves: LedgerMoves, flush: Flush) => Promise<unknown>>> = {
  'begin a step': (held, _, flush) => flush(beginStep({ ...held, ...begin }, {})),
  'begin the step of no return': (held, _, flush) => flush(beginStep({ ...held, ...begin, noReturn: true }, {})),
  'begin a step of rows': (held, _, flush) => flush(beginStep({ ...held, ...begin, effect: 'transaction' }, {})),
  'say that a step was turned away': (held, _, flush) => flush(turnedAway({ ...held, ...begin }, 1, 0)),
  'say that a step was not tried': (held, _, flush) => flush(notTried({ ...held, ...begin }, 1)),
  'say that an undo was not tried': (held, _, flush) => flush(undoNotTried({ ...held, ...step }, 1, 'done')),
  'begin to wait': (held, _, flush) => flush(lookAtWait({ ...held, ...step, patience: 60_000, same: [] }, false)),
  'begin an undo': (held, _, flush) => flush(beginUndo({ ...held, ...step })),
  'give a step a new key': (held, _, flush) => flush(nextEpoch({ ...held, ...begin }, 1, 1)),
  'give an undo a new key': (held, _, flush) => flush(nextUndoEpoch({ ...held, ...step }, 1, 1)),
  'turn to undoing': (held, moves) => moves.compensate({ ...held, carry: [], ending: { state: 'cancelled', refusal } }),
  settle: (held, moves) => moves.settle({ ...held, carry: [], settlement }),
  'go on': (held, moves) => moves.proceed(held),
};

type Flush = (statements: Statement[]) => Promise<unknown>;

describe('a run', () => {
  let world: World;
  let database: Database;
  let moves: LedgerMoves;
  let operation: OperationRef;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { doors: 0, workers: 0, upkeep: false });
    database = new Database(world.databaseUrl, 'hapax_app');
    moves = createActivities({ database } as never, [], new SystemGuards({})) as unknown as LedgerMoves;
    const scope = checkoutScope(world, 'fenced');
    const { tenant, environment, flow } = scope;
    operation = { id: operationId(scope, 1), tenant, environment, flow };
    const claimed = { subject: 'default', generation: 1, flowVersion: 1, fingerprint: 'f', fingerprintVersion: 1 };
    await claim(database, {
      ...claimed,
      ...{ id: operation.id, scope, request: {}, requestId: 'a test', state: 'claimed', deadline: null, insert: true },
    });
    await take(database, operation, 'first');
    await flush(beginStep({ operation, fence: 1, ...begin }, {}));
    await take(database, operation, 'second');
  });
  afterAll(async () => {
    await database.close();
    await world.close();
  });

  const flush: Flush = (statements) => database.flush(operation.tenant, ...statements);

  it.each(Object.keys(writes))('whose operation was taken over may not %s', async (name) => {
    const rows = () =>
      world.sql(
        'select to_jsonb(o) as o, to_jsonb(s) as s from hapax.operation o join hapax.step s on operation_id = id',
      );
    const before = await rows();
    expect(before).toHaveLength(1);
    const stale = writes[name]?.({ operation, fence: 1 }, moves, flush);
    await expect(stale).rejects.toThrow('was taken over (fence 1 < 2)');
    expect(await rows()).toEqual(before);
  });

  it('that has sent the step of no return may not turn to undoing, and one whose step was refused may', async () => {
    const held = { operation, fence: 2 };
    const ending = { state: 'cancelled', refusal } as const;
    const capture = { ...begin, step: 'capture', position: 3, noReturn: true } as const;
    await flush(beginStep({ ...held, ...capture }, {}));
    expect(await moves.compensate({ ...held, carry: [], ending })).toEqual({ kind: 'forward' });
    expect(await world.state(operation.id)).toBe('running');
    await flush(beginStep({ ...held, ...capture }, {}));
    expect(await moves.compensate({ ...held, carry: [], ending })).toEqual({ kind: 'forward' });
    expect(await world.state(operation.id)).toBe('indeterminate');
    const refused = { step: 'capture', position: 3, attempt: 2, state: 'failed', refusal } as const;
    expect(await moves.compensate({ ...held, carry: [refused], ending })).toMatchObject({ kind: 'undo' });
    expect(await world.state(operation.id)).toBe('compensating');
  });

  it('whose try is not the last one may not say how its step ended', async () => {
    const [before] = await world.sql(`select state, attempt from hapax.step where name = 'openPayment'`);
    const late = {
      step: 'openPayment',
      position: 1,
      attempt: 99,
      state: 'done',
      result: { paymentIntent: 'pi' },
    } as const;
    const ending = { state: 'cancelled', refusal } as const;
    await moves.compensate({ operation, fence: 2, carry: [late], ending });
    expect(await world.sql(`select state, attempt from hapax.step where name = 'openPayment'`)).toEqual([before]);
  });
});
