import type Stripe from 'stripe';
import type { LedgerMoves } from '../workflows/operation/call.ts';
import { finalize, publish } from './assets.ts';
import { awaitedActivities } from './engine/await-step.ts';
import { type Activity, namedActivities } from './engine/named-activities.ts';
import { objectSteps } from './objects.ts';
import { complete, reserve } from './orders.ts';
import { paymentSteps } from './payments.ts';
import { outsideActivities } from './engine/outside-step.ts';
import { statementActivities } from './engine/statement-step.ts';
import { ledgerMove } from './engine/step-failure.ts';
import { compensate } from './stores/postgres/ledger/compensate.ts';
import type { Database } from './stores/postgres/database.ts';
import { enter } from './stores/postgres/ledger/enter.ts';
import { leave } from './stores/postgres/ledger/leave.ts';
import { reportTrouble } from './stores/postgres/ledger/report-trouble.ts';
import { requestCancel } from './stores/postgres/ledger/request-cancel.ts';
import { settle } from './stores/postgres/ledger/settle.ts';
import { take } from './stores/postgres/ledger/take.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';

export type Stores = {
  readonly database: Database;
  readonly stripe: Stripe;
  /** Whether `stripe` speaks to a sandbox and not to Stripe. */
  readonly sandboxed: boolean;
  readonly objects: ObjectStore;
};

/** All activities of the operations worker, named by flow and step. */
export function createActivities(stores: Stores): Record<string, Activity> {
  const { database, stripe } = stores;
  const payments = paymentSteps(stripe, stores.sandboxed);
  const objects = objectSteps(database, stores.objects);
  return {
    ...ledgerMoves(database),
    ...namedActivities(database, 'checkout', {
      reserve: statementActivities(database, reserve),
      openPayment: outsideActivities(database, payments.openPayment),
      authorise: outsideActivities(database, payments.authorise),
      capture: outsideActivities(database, payments.capture),
      complete: statementActivities(database, complete),
    }),
    ...namedActivities(database, 'upload', { receive: awaitedActivities(database, objects.receive) }),
    ...namedActivities(database, 'upload', {
      verify: outsideActivities(database, objects.verify),
      finalize: statementActivities(database, finalize),
      tidy: outsideActivities(database, objects.tidy),
      publish: statementActivities(database, publish),
    }),
  };
}

function ledgerMoves(database: Database): LedgerMoves & Record<string, Activity> {
  return {
    take: ({ operation, run }) => ledgerMove(() => take(database, operation, run)),
    compensate: ({ carry, ending, ...held }) => ledgerMove(() => compensate(database, held, carry, ending)),
    settle: ({ carry, settlement, ...held }) =>
      ledgerMove(async () => {
        const { operation } = held;
        await database.flush(
          operation.tenant,
          ...enter(held, { kind: 'record' }, carry),
          settle(operation, settlement),
        );
      }),
    proceed: (held) =>
      ledgerMove(async () => {
        await database.flush(held.operation.tenant, ...enter(held, { kind: 'proceed' }));
      }),
    reportBug: ({ step, says, ...held }) =>
      ledgerMove(async () => {
        // No try of the same story mends it. Upkeep makes the next one, since a fix may have been deployed.
        await reportTrouble(database, held, {
          ...{ step, says, undoing: false, nextTry: null, personAfter: 0 },
          entering: { kind: 'record' },
          carry: [],
        });
      }),
    leave: ({ operation }) => ledgerMove(() => leave(database, operation)),
    requestCancel: ({ operation }) =>
      ledgerMove(async () => {
        await requestCancel(database, operation.tenant, operation.id);
      }),
  };
}
