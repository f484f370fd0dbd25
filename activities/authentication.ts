import { seconds } from '../workflows/operation/duration.ts';
import type { AwaitedStep } from './engine/await-step.ts';
import type { OutsideStep } from './engine/outside-step.ts';
import type { Payments } from './outside/payments.ts';
import { cancelledElsewhere, type Opened } from './payments.ts';
import { Doubtful } from './stores/outcomes/doubtful.ts';
import { Refused } from './stores/outcomes/refused.ts';
import type { Payment } from './stores/payments/payment.ts';
import type { Looking } from './stores/payments/payment-provider.ts';
import type { Database } from './stores/postgres/database.ts';
import { stepResult } from './stores/postgres/ledger/step-result.ts';

/** A look beside the waiting; there will be another. Milliseconds. */
const lookTimeout = seconds(3);

/** The buyer answers the bank's question at the bank's page (3-D Secure), and comes back some time, or never. */
export function authentication(database: Database, { provider }: Payments) {
  const authenticate: AwaitedStep<Opened> = {
    async adopt({ operation, tenant }) {
      const opening = { operation: { id: operation, tenant }, step: 'openPayment' };
      const { paymentIntent } = (await stepResult(database, opening)) as Opened;
      const { state } = await look(paymentIntent, { timeout: lookTimeout });
      return state.kind === 'asking' ? undefined : { paymentIntent };
    },
  };

  /** The bank was asked before: this only reads how it has decided. */
  const decide: OutsideStep<Opened, Opened, Opened> = {
    request: ({ paymentIntent }) => ({ paymentIntent }),
    async send({ paymentIntent }, { timeout }) {
      const { state, called } = await look(paymentIntent, { timeout });
      switch (state.kind) {
        case 'authorised':
        case 'captured':
          return { paymentIntent };
        case 'declined':
          throw new Refused(state.refusal);
        case 'cancelled':
          throw new Refused(cancelledElsewhere('The payment was cancelled at the provider.'));
        case 'open':
        case 'asking':
          throw new Doubtful(`The payment is still ${called}`);
      }
    },
  };

  async function look(id: string, looking: Looking): Promise<Payment> {
    const payment = await provider.look(id, looking);
    if (payment === undefined) throw new Doubtful(`The payment provider knows no ${id} at the moment`);
    return payment;
  }

  return { authenticate, decide };
}
