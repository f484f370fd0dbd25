import type { MoneyFact } from '../../../activities/stores/payments/money-fact.ts';
import type { Payment } from '../../../activities/stores/payments/payment.ts';
import type {
  Looking,
  OpenWish,
  PaymentProvider,
  RefundWish,
} from '../../../activities/stores/payments/payment-provider.ts';
import { EffectFree } from '../../../activities/stores/outcomes/effect-free.ts';
import { Refused } from '../../../activities/stores/outcomes/refused.ts';
import type { Sending, Undoing } from '../../../activities/stores/sending.ts';
import { minutes } from '../../../workflows/operation/duration.ts';
import type { ProviderAccount } from './provider-account.ts';
import type { ProviderLine } from './provider-line.ts';

/** What a provider makes of our keys. */
export type Keys =
  | 'are kept'
  /** After half an hour a key is as good as new. */
  | 'are forgotten'
  /** There are none. */
  | 'are unknown';

/** How long a provider that forgets keys keeps them; its adapter trusts them for half as long. Milliseconds. */
const keyWindow = minutes(30);

/** What a key answers with since its first use; undefined is a failure that nobody can read. */
type Used = { readonly at: number; readonly answer: string | Refused | undefined };

/**
 * A payment provider in memory, with its adapter: a second reading of the port, which knows nothing of Stripe. Each call
 * crosses a line that loses questions and answers.
 */
export class SimulatedProvider implements PaymentProvider {
  readonly name: string;
  readonly #account: ProviderAccount;
  readonly #line: ProviderLine;
  readonly #keys: Keys;
  readonly #used = new Map<string, Used>();

  constructor(name: string, account: ProviderAccount, line: ProviderLine, keys: Keys) {
    this.name = name;
    this.#account = account;
    this.#line = line;
    this.#keys = keys;
  }

  async open(wish: OpenWish, sending: Sending): Promise<Payment> {
    const { operation } = sending;
    const id = await this.#sent('open', sending, {
      before: () => this.#account.find(operation)?.id,
      now: () => this.#account.open(wish).id,
    });
    return this.#now(id);
  }

  async confirm(
    payment: string,
    card: { readonly returnUrl?: string | undefined },
    sending: Sending,
  ): Promise<Payment> {
    return await this.#moved('confirm', payment, sending, () =>
      this.#account.confirm(payment, card.returnUrl !== undefined),
    );
  }

  async capture(payment: string, amount: number, sending: Sending): Promise<Payment> {
    return await this.#moved('capture', payment, sending, () => this.#account.capture(payment, amount));
  }

  async cancel(payment: string, undoing: Undoing): Promise<Payment> {
    return await this.#moved('cancel', payment, { ...undoing, key: `${undoing.key}:cancel` }, () =>
      this.#account.cancel(payment),
    );
  }

  /** What is left is given back once, however often it is asked for. */
  async giveAllBack(payment: string, captured: number, undoing: Undoing): Promise<void> {
    await this.#line.cross('giveAllBack', undoing.operation, (spoils) => {
      if (spoils !== 'before') this.#account.refund(payment, this.#account.left(payment), undoing.operation);
    });
    if (this.#account.givenBack(payment) < captured)
      throw new EffectFree(`Of ${payment} ${this.#account.left(payment)} could not be given back`);
  }

  async refund({ payment, amount }: RefundWish, sending: Sending): Promise<string> {
    const { operation } = sending;
    return await this.#sent('refund', sending, {
      before: () => this.#account.findRefund(payment, operation),
      now: () => this.#account.refund(payment, amount, operation) ?? this.#refuse(payment),
    });
  }

  async look(payment: string): Promise<Payment | undefined> {
    return await this.#line.ask(() => this.#account.look(payment));
  }

  async nextAction(): Promise<undefined> {
    return undefined;
  }

  async givenBack(payment: string): Promise<number> {
    return await this.#line.ask(() => this.#account.givenBack(payment));
  }

  async findRefund(payment: string, operation: string): Promise<string | undefined> {
    return await this.#line.ask(() => this.#account.findRefund(payment, operation));
  }

  async money(payment: string, tenant: string | undefined): Promise<readonly MoneyFact[] | undefined> {
    return await this.#line.ask(() => {
      const origin = this.#account.look(payment)?.origin as MoneyFact['origin'];
      if (origin === undefined || origin.tenant !== (tenant ?? origin.tenant)) return undefined;
      return this.#account.movements
        .filter((fact) => fact.payment === payment)
        .map((fact) => ({ ...fact, origin: { ...origin, operation: fact.origin?.operation ?? origin.operation } }));
    });
  }

  async payout(): Promise<readonly MoneyFact[]> {
    return [];
  }

  /** Small pages, so that there are several. */
  async *movements(from: string, _looking: Looking): AsyncIterable<readonly MoneyFact[]> {
    const all = this.#account.movements.filter(({ at }) => at >= from).toReversed();
    for (let n = 0; n < all.length; n += 5) yield await this.#line.ask(() => all.slice(n, n + 5));
  }

  /** For what a repeat must not do twice, in no state of the payment. */
  async #sent(
    call: 'open' | 'refund',
    sending: Sending,
    act: { readonly before: () => string | undefined; readonly now: () => string },
  ): Promise<string> {
    const { key, age, attempt, operation } = sending;
    // Nothing but a look can tell whether it was done.
    if ((this.#keys === 'are unknown' && attempt > 1) || (this.#keys === 'are forgotten' && age > keyWindow / 2)) {
      const before = await this.#line.ask(act.before);
      if (before !== undefined) return before;
      if (this.#keys === 'are forgotten') throw new EffectFree('It is not there, and its key proves nothing any more');
    }
    const answer = await this.#line.cross(call, operation, (spoils) => this.#once(key, spoils, act.now));
    if (answer !== undefined) return answer;
    const before = await this.#line.ask(act.before);
    if (before === undefined) throw new EffectFree('The key is spent, and nothing has happened');
    return before;
  }

  /** For what the payment's own state keeps from happening twice. */
  async #moved(
    call: 'confirm' | 'capture' | 'cancel',
    payment: string,
    { key, operation }: Sending,
    move: () => Payment,
  ): Promise<Payment> {
    await this.#line.cross(call, operation, (spoils) => this.#once(key, spoils, () => move().id));
    return await this.#line.ask(() => this.#now(payment));
  }

  /** Does what was not done under this key before. @param spoils the provider fails, and keeps its failure */
  #once(key: string, spoils: 'before' | 'after' | undefined, act: () => string): string | undefined {
    const used = this.#used.get(key);
    const isKnown = used !== undefined && (this.#keys === 'are kept' || this.#line.now - used.at < keyWindow);
    const answer =
      isKnown && this.#keys !== 'are unknown' ? used.answer : spoils === 'before' ? undefined : orRefused(act);
    if (!isKnown) this.#used.set(key, { at: this.#line.now, answer: spoils === undefined ? answer : undefined });
    if (answer instanceof Refused) throw answer;
    return answer;
  }

  #now(id: string): Payment {
    const payment = this.#account.look(id);
    if (payment === undefined) throw new Error(`The provider knows no ${id}`);
    return payment;
  }

  #refuse(payment: string): never {
    throw new Refused(
      this.#account.isDisputed(payment)
        ? { code: 'payment-disputed', detail: 'The bank has this money.' }
        : { code: 'refund-exceeds', detail: 'More was given back at the provider than we know of.' },
    );
  }
}

function orRefused(act: () => string): string | Refused {
  try {
    return act();
  } catch (error) {
    if (error instanceof Refused) return error;
    throw error;
  }
}
