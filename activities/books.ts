import { z } from 'zod';
import { booksFlow } from '../workflows/books.flow.ts';
import type { RequestOf } from '../workflows/operation/flow.ts';
import { type SignaturesOf, stepsOf } from './engine/flow-activities.ts';
import { type OutsideStep, outsideActivities } from './engine/outside-step.ts';
import { type StatementStep, statementActivities } from './engine/statement-step.ts';
import type { Registration } from './registration.ts';
import type { MoneyFact } from './stores/payments/money-fact.ts';
import type { PaymentProvider } from './stores/payments/payment-provider.ts';
import { recordMoney } from './stores/postgres/money/record-money.ts';
import type { Stores } from './stores.ts';

type Found = { readonly facts: readonly MoneyFact[] };
type Asked = RequestOf<typeof booksFlow>;

/** What is not this tenant's gives no facts. */
const look = (provider: PaymentProvider, sandboxed: boolean): OutsideStep<Asked, Asked, Found> => ({
  request: (asked) => asked,
  async send({ payment, payout }, { tenant, environment, timeout }) {
    const found =
      payout === undefined
        ? payment && (await provider.money(payment, tenant, { timeout }))
        : await provider.payout(payout, tenant, { timeout });
    // Test money is in no live books, whatever the event says. A sandbox serves both.
    return { facts: (found || []).filter(({ live }) => sandboxed || live === (environment === 'live')) };
  },
});

const record = (provider: string): StatementStep<Found, { readonly booked: number }> => ({
  effect: ({ facts }, about) => recordMoney({ provider, facts }, about, about.step),
  result: z.object({ booked: z.int() }),
  refusal(_row, _input, { operation }) {
    throw new Error(`The books of ${operation} took nothing`);
  },
});

function steps({ database, payments: { provider, sandboxed } }: Stores) {
  return stepsOf<typeof booksFlow>()({
    look: outsideActivities(database, look(provider, sandboxed)),
    record: statementActivities(database, record(provider.name)),
  });
}

export type BooksSteps = SignaturesOf<ReturnType<typeof steps>>;

export const registration: Registration = { flow: booksFlow, steps };
