import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { claimedBefore } from '../support/claimed-before.ts';
import { Lane } from '../support/lane.ts';
import { expectEqualAnswers, moneyHeld, paidOnce, traces } from '../support/one-checkout.ts';
import { heldRequest, plan } from '../support/provider-faults.ts';
import { harmedAt } from '../support/recovery.ts';
import { World } from '../support/world.ts';

/** Stock and cart are free again, nobody has a receipt, and the answer says so. */
const undone = { state: 'compensated', status: 409, orders: ['released'], receipts: 0 };

describe('a checkout that takes longer than its patience', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create(inject('ground'), { workers: 0, upkeep: false, env: { HAPAX_ANSWER_CACHE: '0' } });
  });
  afterAll(() => world.close());

  /** As if the claim had been made so long ago that this much of the patience is left, in milliseconds. */
  async function leave(lane: Lane, left: number): Promise<void> {
    await world.sql(
      `update hapax.operation set created_at = now() - $2 * interval '1 millisecond' where id = $1`,
      lane.id,
      checkoutFlow.patience - left,
    );
  }

  it('before its run could begin is not begun by that run either, which knows it by itself', async (context) => {
    const lane = await Lane.open(world, 'gone');
    context.onTestFinished(() => lane.close());
    await claimedBefore(world, 'gone', 'gone%', checkoutFlow.patience + 1_000);
    await lane.healthy();
    await lane.start();
    await lane.settled();
    expect(await traces(world, lane.id)).toMatchObject({ effects: [], state: 'compensated', orders: [] });
    expect((await lane.workflow.describe()).status.name).toBe('COMPLETED');
  });

  it('before it could begin is not begun any more', async (context) => {
    const lane = await Lane.open(world, 'late');
    context.onTestFinished(() => lane.close());
    await lane.start();
    await leave(lane, -1_000);
    await lane.healthy();
    await lane.settled();
    const nothing = { effects: [], state: 'compensated', status: 409, orders: [], receipts: 0 };
    expect(await traces(world, lane.id)).toEqual(nothing);
    const { first } = await lane.answers();
    expect(first.json).toMatchObject({ code: 'compensated', detail: expect.stringContaining('within 10 min') });
    await expectEqualAnswers(lane, 409);
  });

  it('while the provider gives no answer is undone, and holds no money though the provider had done it', async (context) => {
    const lane = await Lane.open(world, 'in-doubt');
    context.onTestFinished(() => lane.close());
    await plan(world, lane.id, 'authorise', { fault: 'drop_after', times: 100 });
    // Enough for a busy machine to come to the provider.
    await claimedBefore(world, 'in_doubt', 'in-doubt%', checkoutFlow.patience - 10_000);
    await lane.healthy();
    await lane.start();
    await lane.settled();
    expect(await traces(world, lane.id)).toEqual({ ...undone, effects: ['canceled', 'confirmed', 'created'] });
    expect(await moneyHeld(world, lane.id)).toBe(0);
  });

  it('counts it over its runs: a worker that takes over does not begin to count anew', async (context) => {
    const lane = await Lane.open(world, 'taken-over');
    context.onTestFinished(() => lane.close());
    await plan(world, lane.id, 'authorise', { fault: '429', retryAfter: null, times: 1_000 });
    await harmedAt(lane, 'kill', 'authorise:before-effect');
    await leave(lane, 5_000);
    await lane.healthy();
    await lane.settled();
    expect(await traces(world, lane.id)).toEqual({ ...undone, effects: ['canceled', 'created'] });
  });

  it('and has not sent its capture does not send it any more, by the ledger’s own clock', async (context) => {
    const lane = await Lane.open(world, 'late-capture');
    context.onTestFinished(() => lane.close());
    // The ledger takes no capture for a while, as in a failover.
    await world.sql(`create function hapax.failing_over() returns trigger language plpgsql as $$ begin
        raise exception 'the database system is starting up' using errcode = '57P03'; end $$`);
    await world.sql(`create trigger failing_over before insert on hapax.step for each row
        when (new.name = 'capture') execute function hapax.failing_over()`);
    await lane.start();
    await lane.healthy();
    await world.until('it is authorised', async () => (await moneyHeld(world, lane.id)) === 1250);
    await leave(lane, -1_000);
    await world.sql('drop trigger failing_over on hapax.step');
    await lane.settled();
    expect(await traces(world, lane.id)).toEqual({ ...undone, effects: ['canceled', 'confirmed', 'created'] });
  });

  it('past its point of no return goes forward all the same', async (context) => {
    const lane = await Lane.open(world, 'forward');
    context.onTestFinished(() => lane.close());
    await plan(world, lane.id, 'capture', { fault: 'hold_before', outlivesClient: true });
    const first = await lane.faulty('kill', 'never');
    await lane.start();
    const release = await heldRequest(world, lane.id);
    await first.kill();
    await leave(lane, -1_000);
    await release();
    await lane.healthy();
    await lane.settled();
    expect(await traces(world, lane.id)).toEqual(paidOnce);
  });

  it('because the ledger refuses its statement, as after a bad deploy, ends instead of trying for ever', async (context) => {
    const lane = await Lane.open(world, 'refused-by-the-ledger', { items: [{ sku: 'book-small', quantity: 1 }] });
    context.onTestFinished(() => lane.close());
    await lane.start();
    await leave(lane, 8_000);
    await world.sql(`create function hapax.refuse_book() returns trigger language plpgsql as $$ begin
        raise exception 'a bug of ours' using errcode = '42883'; end $$`);
    await world.sql(`create trigger refuse_book before insert on hapax.order_line for each row
        when (new.sku = 'book-small') execute function hapax.refuse_book()`);
    await lane.healthy();
    await lane.settled();
    expect(await traces(world, lane.id)).toMatchObject({ effects: [], state: 'compensated', orders: [] });
    const { first } = await lane.answers();
    expect(first.json.code).toBe('compensated');
    // What it was inside is for the log.
    expect(first.text).not.toContain('a bug of ours');
  });
});
