import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ResolveDecision } from '../../activities/stores/postgres/ledger/resolutions/record-resolution.ts';
import { bookingFinalFlow, bookingHastyFlow, bookingVoidableFlow } from '../flows/booking/booking.flow.ts';
import type { Booking } from '../support/booking.ts';
import { Bookings } from '../support/bookings.ts';

const because = { evidence: 'The office, on the telephone.', reason: 'Its machine stays dead.', by: 'ann' };

describe('a booking whose ticket office stays dead', { timeout: 150_000 }, () => {
  let bookings: Bookings;
  beforeAll(async () => {
    bookings = await Bookings.open(inject('ground'));
  });
  afterAll(() => bookings.close());

  const troubled = (booking: Booking, step: string) =>
    bookings.world.until(
      `${step} is in trouble`,
      async () => (await booking.trouble())?.step === step || undefined,
      40_000,
    );
  const standing = async (booking: Booking) => (await booking.record()).resolutions.map((one) => one.standing);

  describe('at a ticket that nothing takes back', () => {
    async function stuck(name: string): Promise<Booking> {
      const booking = await bookings.book(bookingFinalFlow, name);
      booking.office.fault('/tickets', 'cut');
      await booking.ask(0);
      await troubled(booking, 'ticket');
      return booking;
    }

    it.concurrent('goes on with the number that an operator was given', async () => {
      const booking = await stuck('written by hand');
      const said = { ...because, step: 'ticket', outcome: 'done', result: { number: 'by-hand-1' } } as const;
      expect(await booking.resolve(said)).toBe('resolved' satisfies ResolveDecision);
      expect(await booking.ask()).toMatchObject({ state: 'succeeded', result: { ticket: 'by-hand-1' } });
      expect(await booking.traces()).toMatchObject({ money: 4200, seat: ['held', 'sold'], office: [] });
    });

    it.concurrent('is undone where it was never issued, once no request can be under way, and is not asked for meanwhile', async () => {
      const booking = await stuck('never issued');
      const said = { ...because, step: 'ticket', outcome: 'no-effect' } as const;
      expect(await booking.resolve(said)).toBe('resolved');
      await bookings.world.until('the last try has ended', async () =>
        (await booking.trouble())?.says.includes('believed'),
      );
      booking.office.heal();
      expect(await booking.cancel()).toBe('past-no-return');
      // A try as before would have the ticket issued now.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      expect(await standing(booking)).toEqual(['waiting']);
      expect(await booking.traces()).toMatchObject({ money: 4200, office: [], state: 'indeterminate' });
      await booking.settled();
      expect(await booking.traces()).toMatchObject({
        state: 'refused',
        money: 0,
        office: [],
        seat: ['held', 'freed'],
        steps: { ticket: 'failed' },
      });
      expect(await standing(booking)).toEqual(['held']);
    });
  });

  describe('at a seat map that may be left out', () => {
    it.concurrent('goes on without it where an operator says so, and has it voided should it have been drawn', async () => {
      const booking = await bookings.book(bookingVoidableFlow, 'left out');
      booking.office.fault('/seat-maps', 'unanswered');
      await booking.ask(0);
      await troubled(booking, 'seatMap');
      booking.office.fault('/tickets', 'refuse');
      expect(await booking.resolve({ ...because, step: 'seatMap', outcome: 'no-effect' })).toBe('resolved');
      await booking.settled();
      expect(await booking.traces()).toMatchObject({
        state: 'refused',
        money: 0,
        office: ['seat-map.issued', 'seat-map.voided'],
        steps: { seatMap: 'undone', ticket: 'failed' },
      });
    });

    it.concurrent('goes on without it by itself, after the time that its flow gives it', async () => {
      const booking = await bookings.book(bookingHastyFlow, 'hasty');
      booking.office.fault('/seat-maps', 'cut');
      expect(await booking.ask()).toMatchObject({ state: 'succeeded', result: { seatMap: null } });
      expect(await booking.traces()).toMatchObject({
        money: 4200,
        office: ['ticket.issued'],
        steps: { seatMap: 'unknown' },
      });
    });
  });
});
