import { Context } from '@temporalio/activity';
import type Stripe from 'stripe';
import {
  activityName,
  type LedgerMoves,
  type StepCall,
  type UndoCall,
  undoActivityName,
} from '../workflows/operation/call.ts';
import { complete, reserve } from './orders.ts';
import { paymentSteps } from './payments.ts';
import { ledgerMove, outsideActivities, type StepActivities, transactionActivities } from './run-step.ts';
import { compensate } from './stores/postgres/compensate.ts';
import type { Database } from './stores/postgres/database.ts';
import { hold } from './stores/postgres/hold.ts';
import { requestCancel } from './stores/postgres/request-cancel.ts';
import { settle } from './stores/postgres/settle.ts';
import { take } from './stores/postgres/take.ts';

export type Stores = { readonly database: Database; readonly stripe: Stripe };

type Activity = (call: never) => Promise<unknown>;

/** All activities of the operations worker, named by flow and step. */
export function createActivities(stores: Stores): Record<string, Activity> {
  const { database, stripe } = stores;
  const payments = paymentSteps(stripe);
  return {
    ...ledgerMoves(database),
    ...ofFlow('checkout', {
      reserve: transactionActivities(database, reserve),
      openPayment: outsideActivities(database, payments.openPayment),
      authorise: outsideActivities(database, payments.authorise),
      capture: outsideActivities(database, payments.capture),
      complete: transactionActivities(database, complete),
    }),
  };
}

function ofFlow(flow: string, steps: Readonly<Record<string, StepActivities>>): Record<string, Activity> {
  const named: Record<string, Activity> = {};
  for (const [name, { step, undo }] of Object.entries(steps)) {
    named[activityName(flow, name)] = (call: StepCall) => heartbeating(() => step(call));
    if (undo !== undefined) named[undoActivityName(flow, name)] = (call: UndoCall) => heartbeating(() => undo(call));
  }
  return named;
}

function ledgerMoves(database: Database): LedgerMoves & Record<string, Activity> {
  return {
    take: ({ operation, run }) => ledgerMove(() => take(database, operation, run)),
    compensate: ({ carry, ending, ...held }) => ledgerMove(() => compensate(database, held, carry, ending)),
    settle: ({ carry, settlement, ...held }) =>
      ledgerMove(async () => {
        const { operation } = held;
        await database.flush(operation.tenant, ...hold(held, 'settle', carry), settle(operation, settlement));
      }),
    wait: ({ carry, ...held }) =>
      ledgerMove(async () => {
        await database.flush(held.operation.tenant, ...hold(held, 'wait', carry));
      }),
    requestCancel: ({ operation }) =>
      ledgerMove(async () => {
        await requestCancel(database, operation.tenant, operation.id);
      }),
  };
}

/** A quarter of the shortest heartbeat timeout, so that one late beat is no death. */
const beat = 500;

/** Activities beside the workflow are not heartbeated; the others are, so that a dead worker is noticed in 2 s. */
async function heartbeating<T>(work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  if (context.info.isLocal) return await work();
  const timer = setInterval(() => context.heartbeat(), beat);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
