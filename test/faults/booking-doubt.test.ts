import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { seconds } from '../../workflows/operation/duration.ts';
import { isUncancellable } from '../../workflows/operation/step-declaration.ts';
import {
  bookingFinalFlow,
  bookingRefundableFlow,
  bookingVoidableFlow,
  type BookingFlow,
  type BookingStep,
} from '../flows/booking/booking.flow.ts';
import type { Booking, Doubt } from '../support/booking.ts';
import { Bookings } from '../support/bookings.ts';
import { claimedBefore } from '../support/claimed-before.ts';
import { eachAtOnce } from '../support/each-at-once.ts';
import type { Loss } from '../support/faulty-ledger.ts';

/** What is left of the flow's ten minutes: a step is in doubt after 3 s, and a busy machine takes a while to get there. */
const patienceLeft = seconds(15);
/** Each mostly waits, but a worker beside the tests on two cores starts no more than this in good time. */
const atOnce = 12;
/** A case may stand behind all others. Milliseconds. */
const waitsFor = 180_000;
const flows: readonly BookingFlow[] = [bookingRefundableFlow, bookingFinalFlow, bookingVoidableFlow];

type Case = { readonly flow: BookingFlow; readonly step: BookingStep; readonly loss: Loss; readonly event: Event };
type Event = 'patience ends' | 'it is cancelled';
type Seen = { readonly decision: string } & Awaited<ReturnType<Booking['traces']>>;

const stepsOf = (flow: BookingFlow) => Object.keys(flow.steps) as BookingStep[];
const casesOf = (event: Event, losses: readonly Loss[]): Case[] =>
  flows.flatMap((flow) => stepsOf(flow).flatMap((step) => losses.map((loss) => ({ flow, step, loss, event }))));
// The longest first.
const cases = [
  ...casesOf('patience ends', ['before the effect']),
  ...casesOf('it is cancelled', ['before the effect', 'after the effect']),
];

/** Whether neither a cancel nor the end of patience stops the story once this step has been sent. */
function pastReturn({ flow, step }: Case): boolean {
  const point = Object.values(flow.steps).findIndex(isUncancellable);
  return stepsOf(flow).indexOf(step) >= point;
}

const titled = (all: readonly Case[]) =>
  all.map((one) => [`${one.flow.name}, where ${one.step} is lost ${one.loss}`, one] as const);

describe('a booking in doubt', () => {
  let bookings: Bookings;
  let playing: Promise<void>;
  const seen = new Map(cases.map((one) => [one, Promise.withResolvers<Seen>()]));

  beforeAll(async () => {
    bookings = await Bookings.open(inject('ground'));
    await claimedBefore(bookings.world, 'soon_over', 'patience%', bookingFinalFlow.patience - patienceLeft);
    // Each test waits for its own case, and says what became of it.
    playing = eachAtOnce(atOnce, cases, async (one) => {
      const outcome = seen.get(one);
      outcome?.promise.catch(() => undefined);
      await played(one).then(outcome?.resolve, outcome?.reject);
    });
  });
  afterAll(async () => {
    await playing;
    await bookings.close();
  }, waitsFor);

  async function played(one: Case): Promise<Seen> {
    const { flow, step, loss, event } = one;
    const booking = await bookings.book(flow, `${event} ${flow.name} ${step} ${loss}`);
    const doubt = await booking.lose(step, loss);
    await booking.ask(0);
    await doubt.met();
    const decision =
      event === 'it is cancelled' ? await cancelled(booking, doubt, one) : await patienceOver(booking, one);
    await doubt.heal();
    await booking.settled();
    return { decision, ...(await booking.traces()) };
  }

  async function seenOf(one: Case): Promise<Seen> {
    return (await seen.get(one)?.promise) ?? expect.unreachable();
  }

  /** The outside comes back after everything was given back, so that the request under way arrives too late. */
  async function cancelled(booking: Booking, doubt: Doubt, one: Case): Promise<string> {
    const decision = await booking.cancel();
    if (pastReturn(one)) return decision;
    // The undo asks for the payment's id under the same key, and the provider is still at work on the first request.
    if (one.step === 'openPayment') await doubt.heal();
    await booking.settled();
    return decision;
  }

  async function patienceOver(booking: Booking, one: Case): Promise<string> {
    // A void would get no answer either, and waits until the office is back.
    if (one.step === 'ticket' || one.step === 'seatMap') booking.office.leave();
    if (!pastReturn(one)) {
      await booking.until('compensating', 'compensated');
      return 'given up';
    }
    const { world } = bookings;
    await world.until('patience is over', async () => {
      const [row] = await world.sql<{ over: boolean }>(
        `select created_at + $2 * interval '1 millisecond' < now() - interval '1 second' as over
         from hapax.operation where id = $1`,
        booking.id,
        one.flow.patience,
      );
      return row?.over;
    });
    return await booking.state();
  }

  const expectUndone = ({ seat, payment, money, office, steps }: Seen, one: Case) => {
    expect(seat).toEqual(one.step === 'hold' && one.loss === 'before the effect' ? [] : ['held', 'freed']);
    expect(money).toBe(0);
    const times = (effect: string) => payment.filter((each) => each === effect).length;
    expect(times('refund.created')).toBe(times('captured'));
    expect(times('canceled') + times('refund.created')).toBe(times('created'));
    expect(times('created')).toBeLessThanOrEqual(1);
    const issued = office.filter((type) => type.endsWith('.issued'));
    expect(office.toSorted()).toEqual(
      [...issued, ...issued.map((type) => type.replace('issued', 'voided'))].toSorted(),
    );
    expect(new Set(issued).size).toBe(issued.length);
    if (one.step === 'hold') expect(payment).toEqual([]);
    expect(new Set(Object.values(steps))).toEqual(new Set(Object.keys(steps).length === 0 ? [] : ['undone']));
  };

  const expectBooked = (found: Seen, { flow }: Case) => {
    const mapped = 'seatMap' in flow.steps ? ['seat-map.issued'] : [];
    expect(found).toMatchObject({
      state: 'succeeded',
      seat: ['held', 'sold'],
      payment: ['captured', 'confirmed', 'created'],
      money: 4200,
      office: [...mapped, 'ticket.issued'],
      steps: Object.fromEntries(stepsOf(flow).map((step) => [step, 'done'])),
    });
  };

  describe('before its point of no return gives everything back when patience ends', () => {
    it.each(titled(cases.filter((one) => one.event === 'patience ends' && !pastReturn(one))))(
      '%s',
      async (_, one) => {
        const found = await seenOf(one);
        expect(found).toMatchObject({ decision: 'given up', state: 'compensated' });
        expectUndone(found, one);
      },
      waitsFor,
    );
  });

  describe('before its point of no return gives everything back when it is cancelled', () => {
    it.each(titled(cases.filter((one) => one.event === 'it is cancelled' && !pastReturn(one))))(
      '%s',
      async (_, one) => {
        const found = await seenOf(one);
        expect(found).toMatchObject({ decision: 'requested', state: 'cancelled' });
        expectUndone(found, one);
      },
      waitsFor,
    );
  });

  describe('past its point of no return outlives its patience, and goes on when the outside is back', () => {
    it.each(titled(cases.filter((one) => one.event === 'patience ends' && pastReturn(one))))(
      '%s',
      async (_, one) => {
        const found = await seenOf(one);
        expect(found.decision).not.toBe('compensating');
        expectBooked(found, one);
      },
      waitsFor,
    );
  });

  describe('past its point of no return refuses a cancel, and goes on under the same key', () => {
    it.each(titled(cases.filter((one) => one.event === 'it is cancelled' && pastReturn(one))))(
      '%s',
      async (_, one) => {
        const found = await seenOf(one);
        const committed = one.step === 'confirm' && one.loss === 'after the effect';
        expect(found.decision).toBe(committed ? 'already-settled' : 'past-no-return');
        expectBooked(found, one);
      },
      waitsFor,
    );
  });
});
