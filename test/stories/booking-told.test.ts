import pino from 'pino';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { EventHandlers } from '../../client/events/event-handlers.ts';
import { EventSources } from '../../client/events/event-sources.ts';
import { Inbox } from '../../client/events/inbox.ts';
import { EventLoop } from '../../workers/event-loop.ts';
import { bookingConfirmedFlow } from '../flows/booking/booking.flow.ts';
import type { Booking } from '../support/booking.ts';
import { Bookings } from '../support/bookings.ts';
import { standardDelivery } from '../support/event-sender.ts';
import { secrets } from '../support/event-sources.ts';

let bookings: Bookings;
let inbox: Inbox;
let loop: EventLoop;
const opened: Database[] = [];
beforeAll(async () => {
  bookings = await Bookings.open(inject('ground'));
  const { world, gateway } = bookings;
  // It knows no such handler, and would only take turns at the event.
  await Promise.all(world.running('workers/upkeep.ts').map((upkeep) => upkeep.stop()));
  const handlers = new EventHandlers([bookingConfirmedFlow]);
  const bank = { scheme: 'standard', tenant: world.tenants.alpha, environment: 'test', secrets: [secrets.standard] };
  const [app, upkeep] = [
    new Database(world.databaseUrl, 'hapax_app', 2),
    new Database(world.databaseUrl, 'hapax_upkeep', 2),
  ];
  opened.push(app, upkeep);
  inbox = new Inbox({ database: app, sources: EventSources.read(JSON.stringify({ bank })), handlers });
  loop = new EventLoop({ database: upkeep, gateway, handlers, log: pino({ level: 'silent' }) });
});
afterAll(async () => {
  await loop.stop();
  await Promise.all(opened.map((database) => database.close()));
  await bookings.close();
});

/** What the bank tells of a booking, under an id of its own. */
async function tell(id: string, operation: string, reference: string): Promise<boolean> {
  const data = { type: 'payment.confirmed', operation, reference, at: '2026-11-27' };
  const { fresh } = await inbox.take('bank', asItCame(standardDelivery(id, data)), `req_${id}`);
  loop.wake();
  return fresh;
}
/** Each header as often as it was sent. */
function asItCame({ headers, body }: ReturnType<typeof standardDelivery>) {
  return { body, headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])) };
}
const handling = async (id: string) =>
  (
    await bookings.world.sql(
      `select h.state, h.operation_id, h.code from hapax.inbox_handling h join hapax.inbox_event e on e.id = h.event_id
       where e.event = $1`,
      id,
    )
  )[0];
const handled = (id: string) =>
  bookings.world.until(`${id} is handled`, async () => (await handling(id))?.state === 'done', 30_000);

async function waiting(name: string): Promise<Booking> {
  const booking = await bookings.book(bookingConfirmedFlow, name);
  await booking.ask(0);
  await booking.until('waiting');
  return booking;
}

it('a booking goes on when its event comes, however often, and names it', async () => {
  const booking = await waiting('told');
  const fresh = [await tell('evt_1', booking.id, 'ref-1'), await tell('evt_1', booking.id, 'ref-1')];
  expect(fresh).toEqual([true, false]);
  await booking.settled();
  expect(await booking.ask()).toMatchObject({ state: 'succeeded', result: { ticket: 'ref-1' } });
  await handled('evt_1');
  expect(await handling('evt_1')).toMatchObject({ operation_id: booking.id });
  expect(await booking.traces()).toMatchObject({ money: 4200 });
});

it('an event that comes before the operation waits for it is there when it does', async () => {
  const booking = await bookings.book(bookingConfirmedFlow, 'told early');
  await booking.ask(0);
  await tell('evt_early', booking.id, 'ref-2');
  await booking.settled();
  expect(await booking.ask()).toMatchObject({ state: 'succeeded', result: { ticket: 'ref-2' } });
});

it('an event of an operation that nobody knows is parked until there is one', async () => {
  const booking = await bookings.book(bookingConfirmedFlow, 'told too early');
  await tell('evt_parked', booking.id, 'ref-3');
  await bookings.world.until('it is parked', async () => (await handling('evt_parked'))?.state === 'parked');
  expect((await handling('evt_parked'))?.code).toBe('object-unknown');
  await booking.ask(0);
  await handled('evt_parked');
  await booking.settled();
  expect(await booking.ask()).toMatchObject({ state: 'succeeded', result: { ticket: 'ref-3' } });
});

it('a second event that says otherwise, and one after the end, change nothing', async () => {
  const booking = await waiting('told twice');
  await tell('evt_a', booking.id, 'ref-4');
  await booking.settled();
  await tell('evt_b', booking.id, 'ref-5');
  await handled('evt_b');
  await booking.settled();
  expect(await booking.ask()).toMatchObject({ state: 'succeeded', result: { ticket: 'ref-4' } });
  const strays = await bookings.world.sql('select evidence from hapax.stray where operation_id = $1', booking.id);
  expect(strays).toMatchObject([{ evidence: { reference: 'ref-5' } }]);
});
