import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { bookingConfirmedFlow } from '../flows/booking/booking.flow.ts';
import type { Booking } from '../support/booking.ts';
import { Bookings } from '../support/bookings.ts';

const booked = {
  state: 'succeeded',
  seat: ['held', 'sold'],
  payment: ['captured', 'confirmed', 'created'],
  money: 4200,
  office: [],
};
const givenBack = { seat: ['held', 'freed'], payment: ['canceled', 'confirmed', 'created'], money: 0, office: [] };

describe('a booking that waits for its customer in the middle of its story', () => {
  let bookings: Bookings;
  beforeAll(async () => {
    bookings = await Bookings.open(inject('ground'));
  });
  afterAll(() => bookings.close());

  /** One that has come to its wait. */
  async function waiting(name: string): Promise<Booking> {
    const booking = await bookings.book(bookingConfirmedFlow, name);
    await booking.ask(0);
    await booking.until('waiting');
    return booking;
  }
  const strays = (booking: Booking) =>
    bookings.world.sql('select evidence, why from hapax.stray where operation_id = $1', booking.id);

  it('goes on when the customer confirms, and nothing was captured before', async () => {
    const booking = await waiting('confirmed');
    expect(await booking.traces()).toMatchObject({ money: 4200, payment: ['confirmed', 'created'] });
    expect((await booking.confirmed('ref-1')).kind).toBe('arrived');
    expect(await booking.ask()).toMatchObject({ state: 'succeeded', result: { ticket: 'ref-1' } });
    expect(await booking.traces()).toMatchObject(booked);
  });

  it('tells whoever waits for its end that it is the turn of somebody else, at once', async () => {
    const booking = await bookings.book(bookingConfirmedFlow, 'told at once');
    const asked = Date.now();
    expect(await booking.ask(60_000)).toMatchObject({ state: 'waiting', how: 'created' });
    // The steps before it take well under a second; the wait that was asked for was a minute.
    expect(Date.now() - asked).toBeLessThan(30_000);
    expect(await booking.ask(60_000)).toMatchObject({ state: 'waiting', how: 'joined' });
    expect(Date.now() - asked).toBeLessThan(30_000);
    await booking.confirmed('ref');
    await booking.settled();
  }, 150_000);

  it('is given back when it is cancelled while it waits, and what is confirmed later is kept as a stray', async () => {
    const booking = await waiting('cancelled');
    expect(await booking.cancel()).toBe('requested');
    await booking.settled();
    expect(await booking.traces()).toMatchObject({ state: 'cancelled', ...givenBack });
    expect((await booking.confirmed('too late')).kind).toBe('late');
    expect(await strays(booking)).toMatchObject([{ why: 'late', evidence: { reference: 'too late' } }]);
    expect(await booking.traces()).toMatchObject({ state: 'cancelled', ...givenBack });
  });

  it('is given back when nobody confirms in time, and says so', async () => {
    const booking = await waiting('expired');
    await bookings.world.sql(
      `update hapax.operation set deadline = now(), next_look_at = now() where id = $1`,
      booking.id,
    );
    await booking.settled();
    expect(await booking.traces()).toMatchObject({ state: 'expired', ...givenBack });
    expect(await booking.ask()).toMatchObject({
      state: 'expired',
      problem: { code: 'expired', detail: expect.stringContaining('not confirmed in time') },
    });
    expect((await booking.confirmed('after the end')).kind).toBe('late');
  });

  it('counts what arrived before the wait was closed, though the deadline has passed', async () => {
    const booking = await waiting('just in time');
    await bookings.stopWorker();
    await bookings.world.sql(`update hapax.operation set deadline = now() where id = $1`, booking.id);
    expect((await booking.confirmed('ref')).kind).toBe('arrived');
    await bookings.startWorker();
    await booking.settled();
    expect(await booking.traces()).toMatchObject(booked);
  });

  it('answers the same confirmation alike, and keeps another as a stray', async () => {
    const booking = await waiting('twice');
    const all = await Promise.all(Array.from({ length: 8 }, () => booking.confirmed('ref-1', 'now')));
    expect(all.map(({ kind }) => kind).toSorted()).toEqual(['arrived', ...Array.from({ length: 7 }, () => 'repeated')]);
    expect((await booking.confirmed('ref-1', 'said again later')).kind).toBe('repeated');
    expect(await booking.confirmed('ref-2')).toMatchObject({ kind: 'lost', evidence: { reference: 'ref-1' } });
    await booking.settled();
    expect((await booking.confirmed('ref-1')).kind).toBe('repeated');
    expect(await booking.traces()).toMatchObject(booked);
    expect(await strays(booking)).toMatchObject([{ why: 'lost', evidence: { reference: 'ref-2' } }]);
    expect(await booking.ask()).toMatchObject({ result: { ticket: 'ref-1' } });
  });

  it('needs no wait for what arrived before it began', async () => {
    const booking = await bookings.book(bookingConfirmedFlow, 'early');
    const doubt = await booking.lose('authorise', 'before the effect');
    await booking.ask(0);
    await doubt.met();
    expect((await booking.confirmed('early bird')).kind).toBe('arrived');
    expect(await booking.state()).toBe('indeterminate');
    await doubt.heal();
    await booking.settled();
    expect(await booking.traces()).toMatchObject(booked);
    expect(await booking.ask()).toMatchObject({ result: { ticket: 'early bird' } });
  });

  it('goes on with what arrived while the worker was dead and no signal came through', async () => {
    const booking = await waiting('dead worker');
    await bookings.stopWorker();
    // As a process that dies between its commit and its signal.
    await bookings.world.sql(
      `select hapax.arrive($1, 'confirmation', 3, '{"reference": "ref", "confirmedAt": "now"}', '["ref"]', true)`,
      booking.id,
    );
    await bookings.startWorker();
    await booking.settled();
    expect(await booking.traces()).toMatchObject(booked);
  });

  it('does not use up its patience while it waits', async () => {
    const booking = await waiting('patient');
    // As if it had waited for longer than the flow has patience.
    const longer = `interval '1 millisecond' * ${bookingConfirmedFlow.patience * 2}`;
    await bookings.world.sql(
      `update hapax.operation set created_at = created_at - ${longer}, deadline = now() + interval '1 minute' where id = $1`,
      booking.id,
    );
    await bookings.world.sql(
      `update hapax.step set sent_at = sent_at - ${longer} where operation_id = $1 and name = 'confirmation'`,
      booking.id,
    );
    await bookings.stopWorker();
    await bookings.startWorker();
    expect((await booking.confirmed('ref')).kind).toBe('arrived');
    await booking.settled();
    expect(await booking.traces()).toMatchObject(booked);
  });

  it('refuses evidence that is not what the flow declares', async () => {
    const booking = await waiting('malformed');
    await expect(booking.confirmed('')).rejects.toThrow();
    expect(await booking.state()).toBe('waiting');
    await booking.cancel();
    await booking.settled();
  });
});
