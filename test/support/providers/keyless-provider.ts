import { z } from 'zod';
import { Doubtful } from '../../../activities/stores/outcomes/doubtful.ts';
import { EffectFree } from '../../../activities/stores/outcomes/effect-free.ts';
import { Refused } from '../../../activities/stores/outcomes/refused.ts';
import type { MoneyFact } from '../../../activities/stores/payments/money-fact.ts';
import type { Payment, PaymentState } from '../../../activities/stores/payments/payment.ts';
import type { Looking, PaymentProvider } from '../../../activities/stores/payments/payment-provider.ts';
import { KeylessCall, Unfit } from './keyless-call.ts';
import { ledgerOf } from './keyless-money.ts';

const payment = z.object({
  id: z.string(),
  amount: z.number(),
  amount_received: z.number(),
  currency: z.string(),
  status: z.string(),
  livemode: z.boolean(),
  metadata: z.object({ operation: z.string(), tenant: z.string(), order: z.string() }).partial(),
  last_payment_error: z.object({ message: z.string() }).nullable(),
  next_action: z.object({ redirect_to_url: z.object({ url: z.string() }) }).nullable(),
});
type Raw = z.output<typeof payment>;
const payments = z.object({ data: z.array(payment), has_more: z.boolean() });
const refund = z.object({
  id: z.string(),
  amount: z.number(),
  status: z.string(),
  metadata: z.object({ operation: z.string().optional() }).nullable(),
});
const refunds = z.object({ data: z.array(refund) });

/**
 * The second adapter of the port: a provider that knows no keys, so that a call which is repeated has its effect again.
 * It looks before each call, by what a payment says of its origin, and asks the payment itself how it stands. The
 * sandbox behaves so with the profile `keyless`.
 */
export function keylessProvider(address: string): PaymentProvider {
  const call = new KeylessCall(address);

  const raw = async (id: string, { timeout }: Looking) => await call.get(`/v1/payment_intents/${id}`, payment, timeout);
  const look = async (id: string, looking: Looking) =>
    await raw(id, looking).then(paymentOf, (error: unknown) => {
      if (error instanceof Unfit && error.status === 404) return undefined;
      throw error;
    });

  async function findOpened(operation: string, { timeout }: Looking): Promise<Payment | undefined> {
    for (let after = ''; ; ) {
      const { data, has_more: more } = await call.get(`/v1/payment_intents?limit=100${after}`, payments, timeout);
      const found = data.find(({ metadata }) => metadata.operation === operation);
      if (found !== undefined) return paymentOf(found);
      if (!more) return undefined;
      after = `&starting_after=${data.at(-1)?.id}`;
    }
  }

  /** Moves a payment on from where it is. What stands in the way is found at the payment. */
  async function moved(id: string, verb: string, form: Record<string, string>, looking: Looking): Promise<Payment> {
    try {
      return paymentOf(await call.post(`/v1/payment_intents/${id}/${verb}`, form, payment, looking.timeout));
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      if (error.declined !== undefined) throw declined(error.message);
      // Refused as a whole, so nothing was done.
      return paymentOf(await raw(id, looking));
    }
  }

  const refundsOf = async (id: string, { timeout }: Looking) =>
    (await call.get(`/v1/refunds?payment_intent=${id}&limit=100`, refunds, timeout)).data;
  const findRefund = async (id: string, operation: string, looking: Looking) =>
    (await refundsOf(id, looking)).find(({ metadata }) => metadata?.operation === operation)?.id;
  const givenBack = async (id: string, looking: Looking) =>
    (await refundsOf(id, looking))
      .filter(({ status }) => status === 'succeeded' || status === 'pending')
      .reduce((sum, { amount }) => sum + amount, 0);

  async function money(id: string, tenant: string | undefined, looking: Looking): Promise<MoneyFact[] | undefined> {
    const found = await look(id, looking);
    if (
      found === undefined ||
      found.origin.tenant === undefined ||
      found.origin.tenant !== (tenant ?? found.origin.tenant)
    )
      return undefined;
    const facts: MoneyFact[] = [];
    for await (const page of ledgerOf(call, 0, looking.timeout))
      facts.push(...page.filter((fact) => fact.payment === id));
    const { operation, order } = found.origin;
    const owner = found.origin.tenant;
    return facts.map((fact) => ({
      ...fact,
      origin: { tenant: owner, order, operation: fact.origin?.operation ?? operation },
    }));
  }

  return {
    name: 'keyless',
    async open({ amount, currency, metadata }, { operation, timeout }) {
      const before = await findOpened(operation, { timeout });
      if (before !== undefined) return before;
      const form = {
        ...{ amount: String(amount), currency, capture_method: 'manual' },
        ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`metadata[${name}]`, value])),
      };
      try {
        return paymentOf(await call.post('/v1/payment_intents', form, payment, timeout));
      } catch (error) {
        if (error instanceof Unfit)
          throw new Refused({ code: 'payment-not-possible', detail: 'No such payment is taken.' });
        throw error;
      }
    },
    async confirm(id, { paymentMethod, returnUrl }, sending) {
      const before = paymentOf(await raw(id, sending));
      // A card that was declined may be tried again, but not by us: the answer was lost, not the decision.
      if (before.state.kind !== 'open') return before;
      const form = { payment_method: paymentMethod, ...(returnUrl === undefined ? {} : { return_url: returnUrl }) };
      return await moved(id, 'confirm', form, sending);
    },
    capture: async (id, amount, sending) => await moved(id, 'capture', { amount_to_capture: String(amount) }, sending),
    cancel: async (id, undoing) => await moved(id, 'cancel', {}, undoing),
    async giveAllBack(id, captured, undoing) {
      const left = captured - (await givenBack(id, undoing));
      if (left <= 0) return;
      const form = { payment_intent: id, amount: String(left) };
      const { status } = await call.post('/v1/refunds', form, refund, undoing.timeout).catch(unclear);
      if (status !== 'succeeded' && status !== 'pending') throw new EffectFree(`The refund is ${status}`);
    },
    look,
    async nextAction(id) {
      const { status, next_action: next } = await raw(id, { timeout: 3_000 });
      if (status !== 'requires_action') return { type: 'over' };
      return next === null ? undefined : { type: 'redirect', url: next.redirect_to_url.url };
    },
    givenBack,
    async refund({ payment: id, amount, refund: ours }, { operation, tenant, timeout }) {
      const before = await findRefund(id, operation, { timeout });
      if (before !== undefined) return before;
      const form = {
        ...{ payment_intent: id, amount: String(amount) },
        ...{ 'metadata[operation]': operation, 'metadata[tenant]': tenant, 'metadata[refund]': ours },
      };
      try {
        const made = await call.post('/v1/refunds', form, refund, timeout);
        if (made.status === 'failed')
          throw new Refused({ code: 'refund-refused', detail: 'The bank does not take it.' });
        return made.id;
      } catch (error) {
        if (error instanceof Unfit) throw new Refused({ code: 'refund-refused', detail: 'The provider says no.' });
        throw error;
      }
    },
    findRefund,
    money,
    async payout(id, tenant, { timeout }) {
      const one = z.object({ amount: z.number(), currency: z.string(), created: z.number(), status: z.string() });
      const { amount, currency, created, status } = await call.get(`/v1/payouts/${id}`, one, timeout);
      if (status !== 'paid') return [];
      const origin = { tenant, order: undefined, operation: undefined };
      const at = new Date(created * 1000).toISOString();
      return [{ object: id, kind: 'paid_out', amount, currency, payment: null, origin, live: false, at }];
    },
    movements: (from, { timeout }) => ledgerOf(call, Math.floor(Date.parse(from) / 1000), timeout),
  };
}

function paymentOf(found: Raw): Payment {
  const { id, amount, currency, livemode: live, metadata: origin, status: called } = found;
  return { id, amount, currency, live, origin, called, state: stateOf(found) };
}

function stateOf({ status, amount_received: captured, last_payment_error: error }: Raw): PaymentState {
  if (status === 'requires_payment_method' && error !== null)
    return { kind: 'declined', refusal: declined(error.message).refusal };
  if (status === 'requires_action') return { kind: 'asking' };
  if (status === 'requires_capture') return { kind: 'authorised' };
  if (status === 'succeeded') return { kind: 'captured', captured };
  if (status === 'canceled') return { kind: 'cancelled' };
  return { kind: 'open' };
}

function declined(message: string): Refused {
  return new Refused({ code: 'card-declined', detail: message });
}

function unclear(error: unknown): never {
  throw error instanceof Unfit ? new Doubtful(error.message) : error;
}
