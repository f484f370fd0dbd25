import type { FactKind, MoneyFact } from '../../../activities/stores/payments/money-fact.ts';
import type { Payment, PaymentState } from '../../../activities/stores/payments/payment.ts';
import type { OpenWish } from '../../../activities/stores/payments/payment-provider.ts';
import type { Effect } from '../histories/effect.ts';
import type { ProviderNews } from './provider-news.ts';
import type { VirtualTime } from './virtual-time.ts';

/** What the bank makes of a card. */
export type Verdict = 'approves' | 'declines' | 'asks';

type Refund = {
  readonly id: string;
  readonly payment: string;
  readonly amount: number;
  /** The operation that has made it; undefined where staff have. */
  readonly operation: string | undefined;
  failed: boolean;
};
type Dispute = {
  readonly id: string;
  readonly payment: string;
  readonly amount: number;
  state: 'open' | 'won' | 'lost';
};
type Held = { readonly id: string; readonly wish: OpenWish; state: PaymentState };

/** What the provider keeps of a sale. Minor units. */
const fee = 25;
/** What it takes where a buyer disputes. Minor units. */
const disputeFee = 15;

/** The provider's side of a history: payments, and each movement of their money. It knows no calls, keys or faults. */
export class ProviderAccount {
  /** All that has had an effect, for those who count at the end. */
  readonly effects: Effect[] = [];
  /** The newest last. */
  readonly movements: MoneyFact[] = [];
  readonly #payments = new Map<string, Held>();
  readonly #refunds: Refund[] = [];
  readonly #disputes: Dispute[] = [];
  readonly #time: VirtualTime;
  readonly #verdict: Verdict;
  readonly #tell: (news: ProviderNews) => void;
  #told = 0;

  constructor(time: VirtualTime, verdict: Verdict, tell: (news: ProviderNews) => void) {
    this.#time = time;
    this.#verdict = verdict;
    this.#tell = tell;
  }

  /** What it has for us. Minor units. */
  get balance(): number {
    const worth = {
      ...{ captured: 1, refund_failed: 1, dispute_won: 1, fee_returned: 1 },
      ...{ refunded: -1, disputed: -1, fee: -1, paid_out: -1 },
    };
    return this.movements.reduce((sum, { kind, amount }) => sum + worth[kind] * amount, 0);
  }

  open(wish: OpenWish): Payment {
    const id = `pi_${this.#time.owner}_${this.#payments.size + 1}`;
    const payment: Held = { id, wish, state: { kind: 'open' } };
    this.#payments.set(id, payment);
    this.#effect('payment_intent.created', payment, wish.amount);
    return this.#shown(payment);
  }

  confirm(id: string, mayAsk: boolean): Payment {
    const payment = this.#payment(id);
    if (payment.state.kind === 'open' || payment.state.kind === 'declined') this.#try(payment, mayAsk);
    return this.#shown(payment);
  }

  /** The buyer answers the bank's question. */
  answer(id: string, yes: boolean): void {
    const payment = this.#payment(id);
    if (payment.state.kind !== 'asking') return;
    payment.state = yes ? { kind: 'authorised' } : declined;
    this.#news('the bank has decided', payment);
  }

  capture(id: string, amount: number): Payment {
    const payment = this.#payment(id);
    if (payment.state.kind === 'authorised') {
      payment.state = { kind: 'captured', captured: amount };
      this.#move('captured', payment, payment.id, amount, payment.wish.metadata.operation);
      this.#move('fee', payment, payment.id, fee, payment.wish.metadata.operation);
      this.#effect('payment_intent.captured', payment, amount);
      this.#news('money has moved', payment);
    }
    return this.#shown(payment);
  }

  cancel(id: string): Payment {
    const payment = this.#payment(id);
    if (payment.state.kind !== 'captured' && payment.state.kind !== 'cancelled') {
      payment.state = { kind: 'cancelled' };
      this.#effect('payment_intent.canceled', payment, 0);
      this.#news('the bank has decided', payment);
    }
    return this.#shown(payment);
  }

  /** @returns the refund's id; undefined where so much is not left, or the bank has it */
  refund(id: string, amount: number, operation: string | undefined): string | undefined {
    const payment = this.#payment(id);
    if (amount > this.left(id) || amount === 0 || this.isDisputed(id)) return undefined;
    const refund = {
      id: `re_${this.#time.owner}_${this.#refunds.length + 1}`,
      payment: id,
      amount,
      operation,
      failed: false,
    };
    this.#refunds.push(refund);
    this.#move('refunded', payment, refund.id, amount, operation);
    this.#effect('refund.created', payment, amount, operation ?? null);
    this.#news('money has moved', payment);
    return refund.id;
  }

  /** The buyer's bank sends the newest refund back. */
  failNewestRefund(id: string): void {
    const refund = this.#refunds.findLast(({ payment, failed }) => payment === id && !failed);
    if (refund === undefined) return;
    refund.failed = true;
    const payment = this.#payment(id);
    this.#move('refund_failed', payment, refund.id, refund.amount, refund.operation);
    this.#effect('refund.failed', payment, refund.amount, refund.operation ?? null);
    this.#news('money has moved', payment);
  }

  /** The buyer asks the bank for the money, and the bank takes it at once. @returns how it ends */
  dispute(id: string): ((won: boolean) => void) | undefined {
    const payment = this.#payment(id);
    const amount = this.left(id);
    if (amount === 0 || this.isDisputed(id)) return undefined;
    const dispute: Dispute = {
      id: `dp_${this.#time.owner}_${this.#disputes.length + 1}`,
      payment: id,
      amount,
      state: 'open',
    };
    this.#disputes.push(dispute);
    this.#move('disputed', payment, dispute.id, amount, undefined);
    this.#move('fee', payment, dispute.id, disputeFee, undefined);
    this.#effect('dispute.created', payment, amount);
    this.#news('money has moved', payment);
    return (won) => {
      dispute.state = won ? 'won' : 'lost';
      if (won) this.#move('dispute_won', payment, dispute.id, amount, undefined);
      this.#effect(won ? 'dispute.won' : 'dispute.lost', payment, won ? amount : 0);
      this.#news('money has moved', payment);
    };
  }

  /** The payment whose buyer the bank asks, if any. */
  get asking(): string | undefined {
    return this.#in('asking');
  }

  /** The payment that was captured, if any. */
  get paid(): string | undefined {
    return this.#in('captured');
  }

  /** The payment for which the bank holds money that nobody has taken or let go, if any. */
  get held(): string | undefined {
    return this.#in('authorised');
  }

  isDisputed(id: string): boolean {
    return this.#disputes.some(({ payment, state }) => payment === id && state !== 'won');
  }

  /** Of what was captured, minor units that were not given back. */
  left(id: string): number {
    const { state } = this.#payment(id);
    return (state.kind === 'captured' ? state.captured : 0) - this.givenBack(id);
  }

  givenBack(id: string): number {
    const refunds = this.#refunds.filter(({ payment, failed }) => payment === id && !failed);
    return refunds.reduce((sum, { amount }) => sum + amount, 0);
  }

  findRefund(id: string, operation: string): string | undefined {
    return this.#refunds.find((refund) => refund.payment === id && refund.operation === operation)?.id;
  }

  look(id: string): Payment | undefined {
    return this.#payments.has(id) ? this.#shown(this.#payment(id)) : undefined;
  }

  /** The payment that an operation has opened first, if any. */
  find(operation: string): Payment | undefined {
    const found = [...this.#payments.values()].find(({ wish }) => wish.metadata.operation === operation);
    return found && this.#shown(found);
  }

  #in(kind: PaymentState['kind']): string | undefined {
    return [...this.#payments.values()].find(({ state }) => state.kind === kind)?.id;
  }

  #try(payment: Held, mayAsk: boolean): void {
    switch (this.#verdict) {
      case 'approves':
        payment.state = { kind: 'authorised' };
        return;
      case 'declines':
        payment.state = declined;
        this.#effect('payment_intent.declined', payment, 0);
        return;
      case 'asks':
        payment.state = mayAsk ? { kind: 'asking' } : declined;
        this.#effect(mayAsk ? 'payment_intent.requires_action' : 'payment_intent.declined', payment, 0);
    }
  }

  #payment(id: string): Held {
    const payment = this.#payments.get(id);
    if (payment === undefined) throw new Error(`The provider knows no ${id}`);
    return payment;
  }

  #shown({ id, wish: { amount, currency, metadata }, state }: Held): Payment {
    return { id, amount, currency, live: false, origin: metadata, state, called: state.kind };
  }

  /** What was made at the provider does not say whose it is, other than the payment itself. */
  #move(kind: FactKind, { id, wish }: Held, object: string, amount: number, operation: string | undefined): void {
    const { tenant, order } = wish.metadata;
    const origin =
      operation === undefined ? undefined : { tenant, order: object === id ? order : undefined, operation };
    const at = new Date(this.#time.now).toISOString();
    this.movements.push({ object, kind, amount, currency: wish.currency, payment: id, origin, live: false, at });
  }

  #effect(type: string, { id, wish }: Held, amount: number, operation: string | null = wish.metadata.operation): void {
    this.effects.push({ type, amount, operation, paymentIntent: id });
  }

  #news(kind: ProviderNews['kind'], { id, wish }: Held): void {
    this.#told += 1;
    this.#tell({ id: `evt_${this.#time.owner}_${this.#told}`, kind, payment: id, operation: wish.metadata.operation });
  }
}

const declined: PaymentState = {
  kind: 'declined',
  refusal: { code: 'card-declined', detail: 'The bank has declined the card. Nothing was charged.' },
};
