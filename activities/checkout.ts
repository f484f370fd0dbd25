import { checkoutFlow } from '../workflows/checkout.flow.ts';
import { authentication } from './authentication.ts';
import { awaitedActivities } from './engine/await-step.ts';
import { type SignaturesOf, stepsOf } from './engine/flow-activities.ts';
import { outsideActivities } from './engine/outside-step.ts';
import { statementActivities } from './engine/statement-step.ts';
import { complete, reserve } from './orders.ts';
import { paymentSteps } from './payments.ts';
import type { Registration } from './registration.ts';
import { seedCatalogue } from './stores/postgres/orders/seed-catalogue.ts';
import type { Stores } from './stores.ts';

/** How the steps of a checkout are done: rows of the shop, and a card payment in three calls. */
function steps({ database, payments, seals }: Stores) {
  const { openPayment, authorise, capture } = paymentSteps(payments);
  const { authenticate, decide } = authentication(database, payments);
  return stepsOf<typeof checkoutFlow>()({
    reserve: statementActivities(database, reserve(seals)),
    openPayment: outsideActivities(database, openPayment),
    authorise: outsideActivities(database, authorise),
    authenticate: awaitedActivities(database, authenticate),
    decide: outsideActivities(database, decide),
    capture: outsideActivities(database, capture),
    complete: statementActivities(database, complete(payments.provider.name)),
  });
}

export type CheckoutSteps = SignaturesOf<ReturnType<typeof steps>>;

export const registration: Registration = { flow: checkoutFlow, steps, seed: seedCatalogue };
