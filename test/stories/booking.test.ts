import { Client, Connection, WorkflowFailedError } from '@temporalio/client';
import type Stripe from 'stripe';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import {
  bookingBackwardsFlow,
  bookingFinalFlow,
  type BookingFlow,
  bookingRefundableFlow,
  type BookingStep,
  bookingUnforeseenFlow,
  bookingVoidableFlow,
} from '../flows/booking/booking.flow.ts';
import type { Booking } from '../support/booking.ts';
import { Bookings } from '../support/bookings.ts';
import { paymentClient } from '../support/payment-client.ts';

const forms = [bookingRefundableFlow, bookingFinalFlow, bookingVoidableFlow].map((flow) => [flow.name, flow] as const);
const stepsOf = (flow: BookingFlow) => Object.keys(flow.steps) as BookingStep[];
const paid = ['captured', 'confirmed', 'created'];

/** What the caller is told when a step is refused, and what the payment provider's audit then shows. */
const refusals: Readonly<
  Partial<Record<BookingStep, { readonly code: string; readonly payment: (flow: BookingFlow) => string[] }>>
> = {
  hold: { code: 'seat-taken', payment: () => [] },
  openPayment: { code: 'amount-too-small', payment: () => [] },
  authorise: { code: 'card-declined', payment: () => ['canceled', 'created', 'declined'] },
  capture: { code: 'payment-cancelled', payment: () => ['canceled', 'confirmed', 'created'] },
  ticket: {
    code: 'seat-taken',
    payment: (flow) =>
      flow === bookingVoidableFlow ? ['canceled', 'confirmed', 'created'] : [...paid, 'refund.created'],
  },
};
const refused = forms.flatMap(([name, flow]) =>
  stepsOf(flow).flatMap((step) => (refusals[step] === undefined ? [] : [[name, step, flow] as const])),
);

describe.concurrent('a booking', () => {
  let bookings: Bookings;
  let elsewhere: Stripe;
  let temporal: Connection;
  beforeAll(async () => {
    bookings = await Bookings.open(inject('ground'));
    const { TEMPORAL_ADDRESS = '' } = bookings.world.env;
    elsewhere = paymentClient(bookings.world);
    temporal = Connection.lazy({ address: TEMPORAL_ADDRESS });
  });
  afterAll(async () => {
    await temporal.close();
    await bookings.close();
  });

  it.each(forms)('as %s is paid and ticketed once, and its key gives the stored answer', async (name, flow) => {
    const one = await bookings.book(flow, `whole ${name}`);
    const first = await one.ask();
    expect(first).toMatchObject({ state: 'succeeded', result: { ticket: expect.stringMatching(/^ticket-/) } });
    expect(await one.ask()).toEqual({ ...first, how: 'replayed' });
    const mapped = flow === bookingVoidableFlow ? ['seat-map.issued'] : [];
    expect(await one.traces()).toEqual({
      state: 'succeeded',
      seat: ['held', 'sold'],
      payment: paid,
      money: 4200,
      office: [...mapped, 'ticket.issued'],
      steps: Object.fromEntries(stepsOf(flow).map((step) => [step, 'done'])),
    });
  });

  it.each(refused)('as %s that is refused at %s gives all back, and says what', async (name, step, flow) => {
    const { code, payment } = refusals[step] ?? expect.unreachable();
    const one = await refusedAt(flow, step, `refused ${name} ${step}`);
    const before = stepsOf(flow).slice(0, stepsOf(flow).indexOf(step));
    const undone = before.filter((each) => flow.steps[each as keyof typeof flow.steps].undo === 'own').reverse();
    const answer = await one.ask();
    expect(answer).toMatchObject({ state: 'refused', problem: { code, ...(undone.length > 0 ? { undone } : {}) } });
    expect(await one.ask()).toEqual({ ...answer, how: 'replayed' });
    const issued = before.includes('seatMap') ? ['seat-map.issued'] : [];
    if (before.includes('ticket')) issued.push('ticket.issued');
    expect(await one.traces()).toEqual({
      state: 'refused',
      seat: before.includes('hold') ? ['held', 'freed'] : [],
      payment: payment(flow),
      money: 0,
      office: [...issued, ...issued.toReversed().map((type) => type.replace('issued', 'voided'))],
      steps: { ...Object.fromEntries(before.map((each) => [each, 'undone'])), [step]: 'failed' },
    });
  });

  async function refusedAt(flow: BookingFlow, step: BookingStep, name: string): Promise<Booking> {
    const card = step === 'authorise' ? 'pm_card_visa_chargeDeclined' : 'pm_card_visa';
    const one = await bookings.book(flow, name, card);
    switch (step) {
      case 'hold':
        await bookings.seat(one, { state: 'sold' });
        break;
      case 'openPayment':
        // Less than a card payment may be.
        await bookings.seat(one, { price: 20 });
        break;
      case 'capture': {
        const doubt = await one.lose('capture', 'before the effect');
        await one.ask(0);
        await doubt.met();
        await elsewhere.paymentIntents.cancel(await intentOf(one), {}, { idempotencyKey: `elsewhere ${one.id}` });
        await doubt.heal();
        break;
      }
      case 'ticket':
        one.office.fault('/tickets', 'refuse');
        break;
      case 'authorise':
      case 'seatMap':
      case 'confirm':
        break;
    }
    return one;
  }

  async function intentOf({ id }: Booking): Promise<string> {
    const [row] = await bookings.world.sql<{ id: string }>(
      `select result->>'paymentIntent' as id from hapax.step where operation_id = $1 and name = 'openPayment'`,
      id,
    );
    return row?.id ?? expect.unreachable();
  }

  describe('whose seat map is optional', () => {
    it('goes on where the office refuses it', async () => {
      const one = await bookings.book(bookingVoidableFlow, 'no map');
      one.office.fault('/seat-maps', 'refuse');
      expect(await one.ask()).toMatchObject({ state: 'succeeded', result: { seatMap: null } });
      expect(await one.traces()).toMatchObject({ office: ['ticket.issued'], steps: { seatMap: 'failed' } });
    });

    it('goes on where nobody knows whether it was drawn, and says so of the step', async () => {
      const one = await bookings.book(bookingVoidableFlow, 'a map perhaps');
      one.office.fault('/seat-maps', 'fail after the effect');
      expect(await one.ask()).toMatchObject({ state: 'succeeded', result: { seatMap: null } });
      expect(await one.traces()).toMatchObject({
        money: 4200,
        office: ['seat-map.issued', 'ticket.issued'],
        steps: { seatMap: 'unknown', ticket: 'done' },
      });
    });

    it('has the map voided that was perhaps drawn, when the ticket is refused', async () => {
      const one = await bookings.book(bookingVoidableFlow, 'a map and no ticket');
      one.office.fault('/seat-maps', 'fail after the effect');
      one.office.fault('/tickets', 'refuse');
      const undone = ['openPayment', 'seatMap', 'hold'];
      expect(await one.ask()).toMatchObject({ state: 'refused', problem: { undone } });
      expect(await one.traces()).toMatchObject({
        seat: ['held', 'freed'],
        money: 0,
        office: ['seat-map.issued', 'seat-map.voided'],
        steps: { seatMap: 'undone', ticket: 'failed' },
      });
    });

    it.each(['fail', 'fail after the effect'] as const)(
      'has it in doubt while the story goes on, and undone with it, where the office did %s',
      async (fault) => {
        const one = await bookings.book(bookingVoidableFlow, `a doubtful map ${fault}`);
        one.office.fault('/seat-maps', fault);
        const doubt = await one.lose('ticket', 'before the effect');
        await one.ask(0);
        await doubt.met();
        expect(await one.steps()).toMatchObject({ seatMap: 'unknown', ticket: 'unknown' });
        expect(await one.cancel()).toBe('requested');
        await one.settled();
        await doubt.heal();
        expect(await one.traces()).toMatchObject({
          state: 'cancelled',
          seat: ['held', 'freed'],
          money: 0,
          // The request for the ticket arrives after its void, and issues none.
          office: fault === 'fail' ? [] : ['seat-map.issued', 'seat-map.voided'],
          steps: { hold: 'undone', seatMap: 'undone', openPayment: 'undone', authorise: 'undone', ticket: 'undone' },
        });
      },
    );
  });

  describe('whose story does not keep to its declaration', () => {
    it('and goes back in its order fails as a bug, and nothing is undone', async () => {
      const one = await bookings.book(bookingBackwardsFlow, 'backwards');
      const says = /^Step bookingBackwards\.openPayment was asked for after ticket, which its flow declares behind it/;
      await expectBug(one, says);
      expect(await one.traces()).toMatchObject({ seat: ['held'], payment: [], office: ['ticket.issued'] });
    });

    it('and meets a refusal that it rules out fails as a bug, and nothing is undone', async () => {
      const one = await bookings.book(bookingUnforeseenFlow, 'unforeseen');
      one.office.fault('/tickets', 'refuse');
      const says = /^Step bookingUnforeseen\.ticket was refused \(seat-taken: .*\), which its declaration rules out/;
      await expectBug(one, says);
      expect(await one.traces()).toMatchObject({ seat: ['held'], payment: paid, money: 4200, office: [] });
      expect(await one.cancel()).toBe('past-no-return');
    });

    /** Of the first run, and of the one that upkeep starts after it in case a fix was deployed. */
    async function expectBug(one: Booking, says: RegExp): Promise<void> {
      expect(await one.ask(0)).toMatchObject({ how: 'created' });
      const { workflow } = new Client({ connection: temporal });
      const handle = workflow.getHandle(one.workflowId);
      const first = await bookings.world.until('the first run', () => handle.describe().catch(() => undefined));
      await expect(bugOf(workflow.getHandle(one.workflowId, first.runId))).resolves.toMatch(says);
      const { runId } = await bookings.world.until('another run', async () => {
        const now = await handle.describe();
        return now.runId !== first.runId && now;
      });
      await expect(bugOf(workflow.getHandle(one.workflowId, runId))).resolves.toMatch(says);
      expect(['running', 'indeterminate']).toContain(await one.state());
      expect(Object.values(await one.steps())).not.toContain('undone');
    }
  });
});

/** @returns what a run says of the bug that it failed with */
async function bugOf(run: { result(): Promise<unknown> }): Promise<string> {
  const error = await run.result().catch((thrown: unknown) => thrown);
  if (!(error instanceof WorkflowFailedError)) throw new Error(`The run has not failed: ${String(error)}`);
  expect(error.cause).toMatchObject({ type: 'bug' });
  return error.cause?.message ?? '';
}
