import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';
import { milliseconds, minutes, seconds } from './duration.ts';
import type { StepDeclaration } from './step-declaration.ts';

/**
 * Timeouts and retries by name, each number with its reason. Figures were measured on 2 cores (ARCHITECTURE.md).
 */

/** Activities say so often that they live: one beat may be lost and the next one late before a worker is taken for dead. */
export const heartbeat = milliseconds(500);
const heartbeatTimeout = heartbeat * 3;

/**
 * A move of the ledger itself, without which nothing can go on: it takes about a millisecond, and five seconds without an
 * answer mean that PostgreSQL is failing over.
 */
export const ledgerWrite: LocalActivityOptions = {
  startToCloseTimeout: seconds(5),
  retry: { initialInterval: milliseconds(100), backoffCoefficient: 2, maximumInterval: seconds(2) },
};

/** A step of rows: repeated beside the workflow over a dropped connection or a failover of a second or two. */
export const ledgerCall: LocalActivityOptions = {
  startToCloseTimeout: seconds(5),
  retry: { initialInterval: milliseconds(100), backoffCoefficient: 2, maximumAttempts: 5 },
};

/** PostgreSQL stays away, or refuses the statement: tried again as an activity, which shows in the UI and can be bounded. */
export const ledgerRetry: ActivityOptions = {
  startToCloseTimeout: seconds(5),
  heartbeatTimeout,
  retry: { initialInterval: milliseconds(300), backoffCoefficient: 2, maximumInterval: seconds(2) },
};

/** Tried once beside the workflow: a provider answers in well under a second, and each task saved is 10 ms of CPU. */
export const providerCall: LocalActivityOptions = {
  startToCloseTimeout: seconds(3),
  retry: { maximumAttempts: 1 },
};

/** The provider stays in doubt: ask again, by key, as an activity that shows in the UI and is heartbeated. */
export const providerRetry: ActivityOptions = {
  startToCloseTimeout: seconds(12),
  // Without it a worker that was killed is noticed after 12 s: recovery in 16.1 s.
  heartbeatTimeout,
  retry: { initialInterval: milliseconds(300), backoffCoefficient: 2, maximumInterval: seconds(10) },
};

/** Reading and hashing bytes: 5 GiB at 100 MB/s is under a minute; heartbeats tell a slow read from a dead worker. */
export const bytesWork: ActivityOptions = {
  startToCloseTimeout: minutes(15),
  heartbeatTimeout,
  retry: { initialInterval: milliseconds(300), backoffCoefficient: 2, maximumInterval: seconds(10) },
};

/**
 * Decoding images: bounded, since a file that takes longer is an attack, and one that ends the decoder ends it five times
 * at most. Four pauses of 1, 4, 16 and 64 s outlast an object store that is away for a minute.
 */
export const mediaWork: ActivityOptions = {
  startToCloseTimeout: minutes(2),
  heartbeatTimeout,
  retry: { initialInterval: seconds(1), backoffCoefficient: 4, maximumInterval: minutes(2), maximumAttempts: 5 },
};

/** No try of a step with this placement is under way for longer. Milliseconds. */
export function longestTry(placement: StepDeclaration['placement']): number {
  switch (placement) {
    case 'ledger':
      return Number(ledgerRetry.startToCloseTimeout);
    case 'provider':
      return Number(providerRetry.startToCloseTimeout);
    case 'bytes':
      return Number(bytesWork.startToCloseTimeout);
    case 'media':
      return Number(mediaWork.startToCloseTimeout);
  }
}

/** Starts of a workflow: a worker killed inside a local activity costs 2.6 s instead of 10.0 s. */
export const workflowTaskTimeout = seconds(2);
