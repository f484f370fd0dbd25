import { proxyActivities } from '@temporalio/workflow';

const { reconcileBooks } = proxyActivities<{ reconcileBooks(): Promise<unknown> }>({
  // A hundred thousand payments take a minute, and a provider's bad day some more.
  startToCloseTimeout: '1 hour',
  heartbeatTimeout: '2 minutes',
  retry: { initialInterval: '30 s', backoffCoefficient: 2, maximumInterval: '10 minutes', maximumAttempts: 6 },
});

/** A schedule runs it: our books are compared with the payment provider's ledger. @returns what came of it */
export async function reconcile(): Promise<unknown> {
  return await reconcileBooks();
}
