import { ApplicationFailure } from '@temporalio/common';
import { expect, inject, test } from 'vitest';
import type { Activity } from '../../activities/engine/named-activities.ts';
import type { Payment } from '../../activities/stores/payments/payment.ts';
import type { PaymentProvider } from '../../activities/stores/payments/payment-provider.ts';
import type { Breaks } from '../support/simulation/simulate-history.ts';
import type { SimulatedHistory } from '../support/simulation/simulated-history.ts';
import { Simulation } from '../support/simulation/simulate-histories.ts';

const seed = Number(process.env.HAPAX_HISTORY_SEED ?? Date.now() % 1_000_000);
const most = 400;

type Run = (call: unknown) => Promise<unknown>;

/** The port with one method broken; the others belong to a class, and are not copied by a spread. */
function withBroken(own: PaymentProvider, broken: Partial<PaymentProvider>): PaymentProvider {
  return new Proxy(own, {
    get: (_own, name) => {
      const method = (broken as Record<string | symbol, unknown>)[name] ?? Reflect.get(own, name, own);
      return typeof method === 'function' ? (method as Run).bind(own) : method;
    },
  });
}

function replaced(name: string, by: (own: Run) => Run): NonNullable<Breaks['activities']> {
  return (own) => ({ ...own, [name]: by(own[name] as unknown as Run) as unknown as Activity });
}

const broken: Readonly<Record<string, Breaks & { readonly sql?: string }>> = {
  'a refund has another key for each try': {
    provider: (own) =>
      withBroken(own, {
        refund: (wish, sending) => own.refund(wish, { ...sending, key: `${sending.key} ${sending.attempt}` }),
      }),
  },
  'two refunds of a payment have the same key': {
    provider: (own) =>
      withBroken(own, { refund: (wish, sending) => own.refund(wish, { ...sending, key: wish.payment }) }),
  },
  'money is not held before it is given back': {
    sql: 'drop trigger order_counts_its_refunds on hapax.order_refund',
  },
  'a fact can be booked twice': { sql: 'alter table hapax.money_fact drop constraint fact_is_booked_once' },
  'a capture in doubt counts as done': {
    activities: replaced('checkout.capture', (own) => async (call) => {
      try {
        return await own(call);
      } catch (error) {
        if (error instanceof ApplicationFailure && error.nonRetryable) throw error;
        return { result: (call as { readonly input: unknown }).input };
      }
    }),
  },
  'a refund in doubt counts as refused': {
    activities: replaced('refund.giveBack', (own) => async (call) => {
      try {
        return await own(call);
      } catch (error) {
        if (error instanceof ApplicationFailure && error.nonRetryable) throw error;
        const refusal = { code: 'refund-refused', detail: 'No.' };
        throw ApplicationFailure.create({ type: 'refused', nonRetryable: true, details: [refusal, 1] });
      }
    }),
  },
  'a payment is not cancelled when its checkout is undone': {
    provider: (own) =>
      withBroken(own, {
        cancel: async (payment, undoing) =>
          ({ ...(await own.look(payment, undoing)), state: { kind: 'cancelled' } }) as Payment,
      }),
  },
  'items are not released when a checkout is undone': {
    activities: replaced('checkout.reserve.undo', () => async () => ({ result: null })),
  },
  'a refund that the bank sends back still counts as given back': {
    sql: `create or replace function hapax.follow_failed_refund(of_provider text, of_object text, at timestamptz)
      returns void language plpgsql as $$ begin end $$`,
  },
  'nobody looks after operations that were left open': {
    sql: `create function hapax.put_off() returns trigger language plpgsql as
        $$ begin new.next_look_at := now() + interval '1 year'; return new; end $$;
      create trigger put_off before insert on hapax.operation for each row execute function hapax.put_off()`,
  },
};

for (const [what, breaks] of Object.entries(broken))
  test(`the simulation finds it where ${what} (seed ${seed})`, async ({ onTestFinished, annotate }) => {
    const simulation = await Simulation.create(inject('ground'), breaks);
    onTestFinished(() => simulation.close());
    const found = await simulation.firstFailing(seed, most);
    await annotate(`found in history ${found}`);
    expect(found).toBeDefined();
  });

test(`a history that fails is shown in its smallest form, with how to run it again (seed ${seed})`, async ({
  onTestFinished,
}) => {
  const simulation = await Simulation.create(inject('ground'), broken['money is not held before it is given back']);
  onTestFinished(() => simulation.close());
  const [again, smallest, ...faults] = await simulation.run({ seed, count: most });
  expect(again).toMatch(new RegExp(`^HAPAX_HISTORY_SEED=${seed} HAPAX_HISTORY=\\d+ npx vitest run `));
  const { money, harms } = JSON.parse(smallest ?? '') as SimulatedHistory;
  // A checkout that goes well, and one refund of it.
  expect({ card: money.card, acts: money.acts.length, harms }).toEqual({ card: 'approves', acts: 1, harms: [] });
  expect(faults).not.toEqual([]);
});
