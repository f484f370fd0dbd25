import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import {
  endHandling,
  forgetEvents,
  type Handling,
  takeHandlings,
} from '../../activities/stores/postgres/inbox/due-handlings.ts';
import { deliver, paymentEvent } from '../support/event-sender.ts';
import { World } from '../support/world.ts';

let world: World;
let upkeep: Database;
beforeAll(async () => {
  world = await World.create(inject('ground'), { workers: 0, upkeep: false });
  upkeep = new Database(world.databaseUrl, 'hapax_upkeep', 2);
});
afterAll(async () => {
  await upkeep.close();
  await world.close();
});

const minute = 60_000;
let sent = 0;

/** An event of an order that nobody has: two handlers have it to do. */
async function delivered(): Promise<string> {
  sent += 1;
  const event = paymentEvent({ id: 'op', orderId: `ord_${sent}`, paymentIntent: `pi_${sent}` }, world.tenants.alpha);
  expect((await deliver(world, event)).status).toBe(200);
  return event.id;
}
const rows = (event: string) =>
  world.sql(
    `select h.*, extract(epoch from h.next_at - h.changed_at) as pause from hapax.inbox_handling h
     join hapax.inbox_event e on e.id = h.event_id where e.event = $1 order by handler`,
    event,
  );
const clear = () => world.sql('delete from hapax.inbox_event');

describe('what a handler has to do', () => {
  it('is taken by one process at a time, and by another when the first has died with it', async () => {
    await clear();
    const event = await delivered();
    const [first, other] = await takeHandlings(upkeep, 10, minute);
    expect(new Set([first?.handler, other?.handler])).toEqual(new Set(['credit', 'ship']));
    expect(await takeHandlings(upkeep, 10, minute)).toEqual([]);
    await world.sql(`update hapax.inbox_handling set next_at = now() where handler = 'ship'`);
    const [again] = await takeHandlings(upkeep, 10, minute);
    const ship = [first, other].find((one) => one?.handler === 'ship') as Handling;
    // The first, thawed, does not write over the second.
    await endHandling(upkeep, ship, { state: 'dead', code: 'handler-failed', detail: 'too late' });
    expect((await rows(event))[1]?.state).toBe('due');
    await endHandling(upkeep, again as Handling, { state: 'done', operation: 'op_1' });
    expect((await rows(event))[1]).toMatchObject({ state: 'done', operation_id: 'op_1' });
  });

  it('is half of it fresh, however much has failed before', async () => {
    await clear();
    for (let n = 0; n < 8; n += 1) await delivered();
    await world.sql(`update hapax.inbox_handling set tries = 3, next_at = now() - interval '1 hour'`);
    const event = await delivered();
    const taken = await takeHandlings(upkeep, 6, minute);
    expect(taken).toHaveLength(6);
    expect(taken.filter((one) => one.event.id === event)).toHaveLength(2);
    // Without fresh ones, all places are for the others.
    expect((await takeHandlings(upkeep, 6, minute)).map(({ tries }) => tries)).toEqual(Array(6).fill(4));
  });

  it('is tried for a day from its first try, however long nobody was there', async () => {
    await clear();
    await delivered();
    await world.sql(`update hapax.inbox_handling set due_since = now() - interval '3 days'`);
    const [first] = await takeHandlings(upkeep, 1, 0);
    expect(first?.dueFor).toBeLessThan(minute);
    await world.sql(`update hapax.inbox_handling set due_since = now() - interval '3 days' where tries = 1`);
    await takeHandlings(upkeep, 1, 0);
    const again = (await takeHandlings(upkeep, 2, 0)).find(({ id }) => id === first?.id);
    expect(again?.dueFor).toBeGreaterThan(48 * 60 * minute);
  });
});

describe('upkeep', () => {
  it('gives what fails growing pauses, with jitter, and is ready meanwhile', async () => {
    await clear();
    const event = await delivered();
    const process = await world.start('workers/upkeep.ts');
    for (const tries of [1, 2, 3]) {
      // While it is taken, it is put off by the lease.
      const row = await world.until(`it was tried ${tries} times`, async () => {
        const [credit] = await rows(event);
        return (
          Number(credit?.tries) >= tries && credit?.code === 'object-unknown' && Number(credit.pause) < 20 && credit
        );
      });
      const least = 0.7 * 2 ** (Number(row.tries) - 1);
      expect(Number(row.pause)).toBeGreaterThan(least);
      expect(Number(row.pause)).toBeLessThan(least * 2);
    }
    await world.until('rounds hold', async () => {
      const answer = await fetch(`${process.address}/readyz?verbose`);
      return /\[\+\]rounds/.test(await answer.text());
    });
    await process.stop();
  });

  it('forgets events that nobody repeats, and what waits for a person after a year', async () => {
    await clear();
    const [done, dead, old] = [await delivered(), await delivered(), await delivered()];
    const age = (event: string, days: number) =>
      world.sql(
        `update hapax.inbox_event set received_at = now() - $2 * interval '1 day',
         forget_after = now() - interval '1 minute' where event = $1`,
        ...[event, days],
      );
    for (const [event, days] of [
      [done, 40],
      [dead, 40],
      [old, 361],
    ] as const)
      await age(event, days);
    await world.sql(
      `update hapax.inbox_handling h set state = 'done' from hapax.inbox_event e where e.id = h.event_id and e.event = $1`,
      done,
    );
    await world.sql(`update hapax.inbox_handling set state = 'dead', code = 'c', detail = 'd' where state = 'due'`);
    const fresh = await delivered();
    expect(await forgetEvents(upkeep, 100)).toBe(2);
    const left = await world.sql('select event from hapax.inbox_event');
    expect(left.map(({ event }) => event as string).toSorted()).toEqual([dead, fresh].toSorted());
  });
});
