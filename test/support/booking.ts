import type { OperationRecord } from '../../activities/stores/postgres/ledger/read-operation.ts';
import type {
  Resolution,
  ResolveDecision,
} from '../../activities/stores/postgres/ledger/resolutions/record-resolution.ts';
import type { Gateway } from '../../client/gateway.ts';
import type { ServiceAnswer } from '../../client/gateway/service-answer.ts';
import type { AnyFlow, AwaitStep, EvidenceOf } from '../../workflows/operation/flow.ts';
import type { Trouble } from '../../workflows/operation/trouble.ts';
import { operationId, workflowId } from '../../workflows/operation/key.ts';
import { isSettled, type OperationState, type StepState } from '../../workflows/operation/state.ts';
import { bookingConfirmedFlow, type BookingFlow, type BookingStep } from '../flows/booking/booking.flow.ts';
import type { OddFlow } from '../flows/odd/odd.flow.ts';
import type { FaultyLedger, Loss } from './faulty-ledger.ts';
import { moneyHeld } from './one-checkout.ts';
import { plan, releaseAll } from './provider-faults.ts';
import type { TicketOffice } from './ticket-office.ts';
import { whenLedgerIsThere } from './when-ledger-is-there.ts';
import type { World } from './world.ts';

/** Many wait at once, and each look costs a query. Milliseconds. */
const pause = 200;
/** Longer than a story in doubt takes on a busy machine. Milliseconds. */
const longest = 40_000;

/** A flow that is asked for like a booking. */
export type AnyBooking = BookingFlow | OddFlow;

type Parts = {
  readonly world: World;
  readonly ledger: FaultyLedger;
  readonly gateway: Gateway;
  readonly flow: AnyBooking;
  readonly key: string;
  readonly office: TicketOffice;
  readonly request: { readonly seat: string; readonly paymentMethod: string; readonly office: string };
};

/** A step whose outside system gives no answer. */
export type Doubt = {
  /** Waits until the step is in doubt. */
  met(): Promise<unknown>;
  heal(): Promise<void>;
};

/** One booking, whose effects can be counted at each system. */
export class Booking {
  readonly id: string;
  readonly office: TicketOffice;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.office = parts.office;
    this.id = operationId({ ...this.#caller, flow: parts.flow.name }, 1);
  }

  get #caller() {
    const { world, key } = this.#parts;
    return { tenant: world.tenants.alpha, environment: 'test', subject: 'default', key } as const;
  }

  /** Asks, or asks again with the same key, and waits for the outcome at most `wait` milliseconds. */
  async ask(wait = 30_000): Promise<ServiceAnswer<AnyBooking>> {
    const { world, gateway, flow, key, request } = this.#parts;
    return await whenLedgerIsThere(world, `${key} is accepted`, () =>
      gateway.run(flow, { ...this.#caller, request }, wait),
    );
  }

  async record(): Promise<OperationRecord> {
    const record = await this.#parts.gateway.status(this.#caller.tenant, this.id);
    if (record === undefined) throw new Error(`${this.id} is not in the ledger`);
    return record;
  }

  /** Why it makes no progress. */
  async trouble(): Promise<Trouble | null> {
    const record = await this.record();
    return record.settledAt === null ? record.trouble : null;
  }

  async cancel(): Promise<string> {
    return await this.#parts.gateway.cancel(await this.record());
  }

  /** Something has come for a step that waits. */
  async arrive<F extends AnyFlow, N extends AwaitStep<F>>(flow: F, step: N, evidence: EvidenceOf<F, N>) {
    return await this.#parts.gateway.arrive(flow, await this.record(), step, evidence);
  }

  /** The customer has confirmed at the bank's page. */
  async confirmed(reference: string, confirmedAt = 'today') {
    return await this.arrive(bookingConfirmedFlow, 'confirmation', { reference, confirmedAt });
  }

  /** What a person says of a step. */
  async resolve(said: Resolution): Promise<ResolveDecision> {
    const declared = (this.#parts.flow as AnyFlow).steps[said.step];
    if (declared === undefined) throw new Error(`There is no step ${said.step}`);
    return await this.#parts.gateway.resolve(await this.record(), declared, said);
  }

  /** From now on nothing answers this step. */
  async lose(step: BookingStep, loss: Loss): Promise<Doubt> {
    const { world, ledger, office, key } = this.#parts;
    // A busy machine may leave an earlier step in doubt for a moment: it is this one that counts.
    const met = () =>
      world.until(
        `${step} of ${key} is in doubt`,
        async () => (await this.steps())[step] === 'unknown',
        longest,
        pause,
      );
    switch (step) {
      case 'hold':
      case 'confirm':
        ledger.cut(this.id, step, loss);
        return {
          met: () => world.until(`${step} of ${key} is cut`, async () => ledger.met(this.id, step), longest, pause),
          heal: async () => ledger.heal(this.id, step),
        };
      case 'openPayment':
      case 'authorise':
      case 'capture':
        // A held request keeps its key in use, so that later tries get no answer either. Once the effect is stored they
        // would: the try beside the workflow and the first activity are both held.
        if (loss === 'before the effect')
          await plan(world, this.id, step, { fault: 'hold_before', outlivesClient: true });
        else await plan(world, this.id, step, { fault: 'hold_after', times: 2 });
        return { met, heal: () => releaseAll(world, this.id) };
      case 'seatMap':
      case 'ticket':
        office.fault(
          step === 'ticket' ? '/tickets' : '/seat-maps',
          loss === 'before the effect' ? 'unheard' : 'unanswered',
        );
        return { met, heal: async () => office.heal() };
    }
  }

  get seat(): string {
    return this.#parts.request.seat;
  }

  get workflowId(): string {
    return workflowId({ ...this.#caller, flow: this.#parts.flow.name }, 1);
  }

  async state(): Promise<OperationState> {
    return (await this.#parts.world.state(this.id)) as OperationState;
  }

  async until(...states: readonly OperationState[]): Promise<void> {
    const what = `${this.#parts.key} is ${states.join(' or ')}`;
    await this.#parts.world.until(what, async () => states.includes(await this.state()), longest, pause);
  }

  async settled(): Promise<void> {
    await this.#parts.gateway.settled(this.#caller.tenant, this.id, longest);
    if (!isSettled(await this.state())) throw new Error(`${this.#parts.key} has not settled within ${longest} ms`);
  }

  /** The step rows, by name. */
  async steps(): Promise<Partial<Record<BookingStep, StepState>>> {
    const rows = await this.#parts.world.sql<{ name: string; state: StepState }>(
      'select name, state from hapax.step where operation_id = $1 order by position',
      this.id,
    );
    return Object.fromEntries(rows.map(({ name, state }) => [name, state]));
  }

  /** What the booking has done, by the ledger, the table of seats, the payment provider's audit and the office's. */
  async traces() {
    const { world, office } = this.#parts;
    const [seat] = await world.sql<{ changes: string[] }>(
      'select changes from booking.seat where name = $1',
      this.seat,
    );
    const paid = (await world.audit({ operation: this.id })).map(({ type }) => type.replace('payment_intent.', ''));
    return {
      state: await this.state(),
      seat: seat?.changes ?? [],
      payment: paid.toSorted(),
      money: await moneyHeld(world, this.id),
      office: office.effects.map(({ type }) => type),
      steps: await this.steps(),
    };
  }
}
