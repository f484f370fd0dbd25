import { Connection } from '@temporalio/client';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { complete } from '../../activities/orders.ts';
import { unguarded } from '../../activities/engine/guard.ts';
import { statementActivities } from '../../activities/engine/statement-step.ts';
import { beginStep } from '../../activities/stores/postgres/ledger/begin-step.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import { take } from '../../activities/stores/postgres/ledger/take.ts';
import type { OperationRef, Settlement } from '../../workflows/operation/call.ts';
import { claimedOperation } from '../support/claimed-operation.ts';
import { checkoutScope, Lane } from '../support/lane.ts';
import { paidOnce, traces } from '../support/one-checkout.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { World } from '../support/world.ts';

const patience = 60_000;
/** How often a step of rows is tried before it becomes an activity (presets.ledgerCall). */
const near = 5;
const first = {
  step: 'reserve',
  personAfter: 60_000,
  position: 0,
  input: {},
  carry: [],
  effect: 'transaction',
  noReturn: false,
  irreversible: false,
} as const;

describe('an operation that is new', () => {
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

  const claimed = (name: string) => claimedOperation(database, checkoutScope(world, name));

  async function open(operation: OperationRef, run: string): Promise<unknown> {
    return await database.flush(
      operation.tenant,
      ...beginStep({ operation, fence: 1, ...first, patience, opens: run }, {}),
    );
  }

  async function row(operation: { readonly id: string }) {
    const [found] = await world.sql(
      `select state, fence, run_id, (select count(*)::int from hapax.step where operation_id = id) as steps
       from hapax.operation where id = $1`,
      operation.id,
    );
    return found;
  }
  const opened = (run: string) => ({ state: 'running', fence: '1', run_id: run, steps: 1 });
  const refused = { code: 'held-before' };

  it('is opened by the first step of one run, whoever comes at the same time', async () => {
    const operation = await claimed('raced');
    const runs = Array.from({ length: 12 }, (_, n) => `run-${n}`);
    const all = await Promise.allSettled(runs.map((run) => open(operation, run)));
    const winners = runs.filter((_, n) => all[n]?.status === 'fulfilled');
    expect(winners).toHaveLength(1);
    for (const one of all) if (one.status === 'rejected') expect(one.reason).toMatchObject(refused);
    expect(await row(operation)).toEqual(opened(winners[0] ?? ''));
  });

  it('is not opened by a second try of the run that has opened it: the first one may still be alive', async () => {
    const operation = await claimed('again');
    await open(operation, 'the run');
    await expect(open(operation, 'the run')).rejects.toMatchObject(refused);
    expect(await row(operation)).toEqual(opened('the run'));
    expect(await take(database, operation, 'the run')).toMatchObject({ kind: 'taken', fence: 2 });
  });

  it('is not opened once it was taken over, even by a run that had begun before', async () => {
    const operation = await claimed('taken');
    await take(database, operation, 'upkeep');
    await expect(open(operation, 'late')).rejects.toMatchObject(refused);
    expect(await row(operation)).toEqual({ state: 'running', fence: '1', run_id: 'upkeep', steps: 0 });
  });

  it('is not opened once patience has ended: the story then hears of that by taking it over', async () => {
    const operation = await claimed('waited');
    await world.sql(
      `update hapax.operation set created_at = created_at - interval '61 seconds' where id = $1`,
      operation.id,
    );
    await expect(open(operation, 'late')).rejects.toMatchObject(refused);
    expect(await row(operation)).toMatchObject({ state: 'claimed', fence: '0', steps: 0 });
  });

  it('is told anew where the answer to its opening is lost, and shows no trouble once it goes on', async (context) => {
    const lane = await Lane.open(world, 'unanswered');
    context.onTestFinished(() => lane.close());
    let tries = 0;
    await lane.healthy((own) => {
      const flush = own.database.flush.bind(own.database);
      own.database.flush = async (tenant, ...statements) => {
        if (!statements.some(({ name }) => name === 'open_operation')) return await flush(tenant, ...statements);
        tries += 1;
        // Away for all tries near the workflow; the last of them is committed.
        if (tries === near) await flush(tenant, ...statements);
        if (tries <= near) throw new LedgerFault('unavailable', 'a test');
        return await flush(tenant, ...statements);
      };
      return own;
    });
    await lane.start();
    await lane.settled();
    await lane.workflow.result();
    // Not tried any further: the operation is opened by a move of its own, whose steps can show trouble.
    expect(tries).toBe(near);
    expect(await traces(world, lane.id)).toEqual(paidOnce);
    expect((await lane.workflow.describe()).searchAttributes.HapaxStep ?? []).toEqual([]);
  });

  it('is taken over by a run that a person has reset', async (context) => {
    const lane = await Lane.open(world, 'reset');
    context.onTestFinished(() => lane.close());
    await plan(world, lane.id, 'capture', { fault: 'hold_before', outlivesClient: true });
    await lane.healthy();
    await lane.start();
    const release = await heldRequest(world, lane.id);
    const task = await world.until('its first task has been recorded', async () => {
      const { events } = await lane.workflow.fetchHistory();
      return events?.find(({ workflowTaskCompletedEventAttributes: completed }) => completed)?.eventId ?? undefined;
    });
    const connection = await Connection.connect({ address: world.env.TEMPORAL_ADDRESS as string });
    await connection.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: lane.workflow.workflowId },
      workflowTaskFinishEventId: task,
      requestId: lane.id,
      reason: 'a test',
    });
    await connection.close();
    await world.until('it is taken over', async () => (await row(lane))?.fence === '2');
    await release();
    await lane.settled();
    expect(await traces(world, lane.id)).toEqual(paidOnce);
    expect(await row(lane)).toMatchObject({ fence: '2' });
  });

  it('does not begin its step of no return by a look at patience from before the lock', async () => {
    const operation = await claimed('late-look');
    await open(operation, 'the run');
    const other = new pg.Client({ connectionString: world.databaseUrl });
    await other.connect();
    await other.query('begin');
    await other.query('select from hapax.operation where id = $1 for update', [operation.id]);
    const capture = { ...first, step: 'capture', position: 3, effect: 'keyed', noReturn: true } as const;
    const begun = database.flush(operation.tenant, ...beginStep({ operation, fence: 1, ...capture, patience }, {}));
    const impatient = expect(begun).rejects.toMatchObject({ code: 'impatient' });
    await world.until('it waits for the row', async () => {
      const waiting = await world.sql(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      return waiting.length > 0;
    });
    // At once, since no statement of the ledger waits for long.
    await other.query(
      `update hapax.operation set created_at = now() - interval '61 seconds' where id = '${operation.id}'; commit`,
    );
    await other.end();
    await impatient;
    expect(await row(operation)).toEqual(opened('the run'));
  });

  it('does not settle with a last step that has done nothing', async () => {
    const operation = await claimed('orderless');
    await open(operation, 'the run');
    const result = { orderId: 'ord_none', amount: { minor: 1, currency: 'eur' }, paymentIntent: 'pi_none' };
    const settlement: Settlement = {
      outcome: { state: 'succeeded', result },
      requestId: 'a test',
      renewable: false,
      keep: { response: 1_000, tombstone: 2_000 },
      sweepAfter: null,
    };
    const last = { ...first, step: 'complete', position: 4, input: { paymentIntent: 'pi_none' }, patience, settlement };
    const ended = statementActivities(database, complete('stripe')).step({ operation, fence: 1, ...last }, unguarded);
    await expect(ended).rejects.toThrow('cannot be paid');
    expect(await row(operation)).toMatchObject({ state: 'running', steps: 2 });
    const completed = await world.sql(
      `select state from hapax.step where operation_id = $1 and name = 'complete'`,
      operation.id,
    );
    expect(completed).toEqual([{ state: 'sent' }]);
  });
});
