import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  oddAgainFlow,
  oddFinalFlow,
  type OddFlow,
  oddNaturalFlow,
  oddReceiveFlow,
  oddThrowFlow,
} from '../flows/odd/odd.flow.ts';
import type { Booking } from '../support/booking.ts';
import { Bookings } from '../support/bookings.ts';

const word = { outcome: 'no-effect', evidence: 'The office.', reason: 'It is to end.', by: 'ann' } as const;
const ticketVoided = { seat: ['held', 'freed'], office: ['ticket.issued', 'ticket.voided'] };

describe('a flow whose code is at fault, or whose outside behaves oddly,', () => {
  let bookings: Bookings;
  beforeAll(async () => {
    bookings = await Bookings.open(inject('ground'));
  });
  afterAll(() => bookings.close());

  async function troubled(flow: OddFlow, name: string): Promise<Booking> {
    const booking = await bookings.book(flow, name);
    await booking.ask(0);
    await bookings.world.until(`${name} needs a person`, async () => (await booking.trouble())?.needsPerson);
    return booking;
  }
  const lookSoon = (booking: Booking) =>
    bookings.world.sql('update hapax.operation set next_look_at = now(), looks = 0 where id = $1', booking.id);

  it('has its ticket voided that may have been issued before the office turned a repetition away', async () => {
    const booking = await bookings.book(oddNaturalFlow, 'doubt, then busy');
    booking.office.fault('/tickets', 'fail after the effect');
    await booking.ask(0);
    await bookings.world.until('it was tried twice', async () => ((await booking.trouble())?.tries ?? 0) >= 2);
    booking.office.fault('/tickets', 'busy');
    const attempts = async () => (await booking.record()).steps.find(({ name }) => name === 'ticket')?.attempts ?? 0;
    const before = await attempts();
    await bookings.world.until('it was turned away twice', async () => (await attempts()) > before + 1);
    expect(await booking.cancel()).toBe('requested');
    await booking.settled();
    expect(await booking.traces()).toMatchObject({ state: 'cancelled', ...ticketVoided, steps: { ticket: 'undone' } });
  });

  it('needs a person where its last step says no and nothing can be taken back', async () => {
    const booking = await bookings.book(oddFinalFlow, 'refused at last');
    booking.office.fault('/tickets', 'cut');
    await booking.ask(0);
    await bookings.world.until('the ticket is in trouble', async () => (await booking.trouble())?.step === 'ticket');
    // The seat is given away behind us, so that the last step finds nothing to do.
    await bookings.world.sql(`update booking.seat set state = 'free' where name = $1`, booking.seat);
    booking.office.heal();
    // A busy ledger may be the first trouble of its last step.
    await bookings.world.until('it needs a person', async () => {
      const trouble = await booking.trouble();
      return trouble?.step === 'confirm' && trouble.needsPerson && trouble.says.includes('only goes forward');
    });
    // Recorded at once, since nothing takes it back.
    expect(await booking.steps()).toMatchObject({ ticket: 'done' });
    expect(await booking.resolve({ ...word, step: 'ticket' })).toBe('not-in-doubt');
    expect(await booking.resolve({ ...word, step: 'confirm' })).toBe('forward-only');
    await bookings.world.sql(`update booking.seat set state = 'held' where name = $1`, booking.seat);
    await lookSoon(booking);
    await booking.settled();
    expect(await booking.traces()).toMatchObject({ state: 'succeeded', office: ['ticket.issued'] });
  });

  it('shows a bug that names a step which is done, and is given back when it is cancelled', async () => {
    const booking = await troubled(oddAgainFlow, 'again, cancelled');
    expect(await booking.trouble()).toMatchObject({ step: 'hold', says: expect.stringContaining('asked for after') });
    expect(await booking.resolve({ ...word, step: 'hold' })).toBe('not-in-doubt');
    expect(await booking.cancel()).toBe('requested');
    await lookSoon(booking);
    await booking.settled();
    expect(await booking.traces()).toMatchObject({ state: 'cancelled', ...ticketVoided });
  });

  it('shows an error of its own code, which a cancel ends', async () => {
    const booking = await troubled(oddThrowFlow, 'throws');
    expect(await booking.trouble()).toMatchObject({
      step: 'ticket',
      says: expect.stringContaining('Nobody has thought of'),
    });
    expect(await booking.cancel()).toBe('requested');
    await booking.settled();
    expect(await booking.traces()).toMatchObject({ state: 'cancelled', ...ticketVoided });
  });

  it('may wait with a step of any name, for evidence of any length', async () => {
    const booking = await bookings.book(oddReceiveFlow, 'receives');
    await booking.ask(0);
    await booking.until('waiting');
    const evidence = { reference: 'x'.repeat(10_000), confirmedAt: 'now' };
    expect((await booking.arrive(oddReceiveFlow, 'receive', evidence)).kind).toBe('arrived');
    const other = { ...evidence, reference: 'y'.repeat(9_000) };
    expect((await booking.arrive(oddReceiveFlow, 'receive', other)).kind).toBe('lost');
    await booking.settled();
    expect(await booking.state()).toBe('succeeded');
  });
});
