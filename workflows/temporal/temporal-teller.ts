import {
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  log,
  proxyActivities,
  proxyLocalActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Teller, Work } from '../engine/teller.ts';
import { Unfinished } from '../engine/unfinished.ts';
import { budgets, type Budget, ledgerMove } from '../operation/budget.ts';
import type { LedgerMoves, OperationRef } from '../operation/call.ts';
import { isTransient, metBy, pauseOf, unfinished } from './activity-error.ts';
import { farOptions, nearOptions } from './activity-options.ts';
import { workerQueue } from '../operation/worker-queue.ts';

/** The ledger has news for the story, such as bytes. The signal carries nothing itself: the row is the truth. */
const wakeSignal = defineSignal('wake');

/** A cancel was requested and is in the ledger. */
const cancelRequestedSignal = defineSignal('cancelRequested');

/** A person has said something of the step that makes no progress. Its next try decides about that. */
const resolvedSignal = defineSignal('resolved');

/** The story does not hear of each try, or its history would grow without end. */
const whereTries =
  'It is asked again until the answer is clear. "Pending activities" has the number of tries, what the last one met and ' +
  'when the next one is; `trouble` of the operation has the same.';

type Run<Call = unknown, Reply = unknown> = (call: Call) => Promise<Reply>;

/** Tells a story in a Temporal workflow. */
export class TemporalTeller implements Teller {
  readonly run = workflowInfo().runId;
  readonly ledger: LedgerMoves;
  readonly #operation: OperationRef;
  #heard = 0;
  /** The step that people are shown as waiting or failing. */
  #troubled: string | undefined;
  /** Ends the pauses of the activity that is being retried. */
  #interrupt: { readonly cancellable: boolean; readonly now: () => void } | undefined;

  constructor(operation: OperationRef) {
    this.#operation = operation;
    this.ledger = moves();
    setHandler(wakeSignal, () => this.#news());
    setHandler(cancelRequestedSignal, () => this.#cancelled());
    setHandler(resolvedSignal, () => {
      this.#news();
      this.#interrupt?.now();
    });
  }

  now(): number {
    // The time of the workflow's task, which a replay repeats.
    return Date.now();
  }

  age(): number {
    return this.now() - workflowInfo().startTime.getTime();
  }

  heard(): number {
    return this.#heard;
  }

  async listen(seen: number, atMost: number): Promise<void> {
    await condition(() => this.#heard > seen, Math.max(1, atMost));
  }

  /** A cancel from Temporal's UI is only a request. The ledger decides whether it is still in time. */
  async cancelledByHand(): Promise<void> {
    await this.ledger.requestCancel({ operation: this.#operation });
    this.#cancelled();
  }

  async look<Call, Reply>(activity: string, says: string, call: Call): Promise<Reply> {
    return await orUnfinished(near<Call, Reply>(activity, { ...nearOptions(ledgerMove), summary: says })(call));
  }

  async perform<Call, Reply>(work: Work, call: Call): Promise<Reply> {
    const budget: Budget = budgets[work.placement];
    if (budget.near === undefined || work.again) return await this.#far(work, budget, call);
    try {
      return await near<Call, Reply>(work.activity, { ...nearOptions(budget.near), summary: work.says })(call);
    } catch (error) {
      if (!isTransient(error) || work.brief) throw unfinished(error);
      const seen = this.#heard;
      this.show(`${work.says}: no clear answer yet. ${metBy(error)}\n\n${whereTries}`, work.step);
      const pause = pauseOf(error);
      // Patience may end before.
      if (pause !== undefined) await this.listen(seen, Math.min(pause, this.#bound(work) ?? pause));
      return await this.#far(work, budget, { ...call, again: true });
    }
  }

  /** As an ordinary activity, which people see and news interrupts. */
  async #far<Call, Reply>(work: Work, budget: Budget, call: Call): Promise<Reply> {
    const scope = new CancellationScope({ cancellable: true });
    this.#interrupt = { cancellable: work.cancellable, now: () => scope.cancel() };
    const activity = proxyActivities<Record<string, Run<Call, Reply>>>({
      ...farOptions(budget, this.#bound(work)),
      taskQueue: workerQueue(workflowInfo().taskQueue, budget.worker),
      summary: work.says,
    })[work.activity] as Run<Call, Reply>;
    try {
      return await scope.run(() => activity(call));
    } catch (error) {
      throw isCancellation(error)
        ? new Unfinished({ kind: 'interrupted' }, `${work.activity} is to be looked at anew`, error)
        : unfinished(error);
    } finally {
      this.#interrupt = undefined;
    }
  }

  /** Milliseconds from now; undefined for ever. */
  #bound({ until, within }: Work): number | undefined {
    const left = until === undefined ? undefined : Math.max(1, until - this.now());
    return left === undefined || within === undefined ? (left ?? within) : Math.min(left, within);
  }

  /**
   * Details are free. The search attribute costs an event, so it names a step only while one waits or fails, and is
   * cleared with the next one.
   */
  show(details: string, troubled?: string): void {
    setCurrentDetails(details);
    if (this.#troubled === troubled) return;
    upsertSearchAttributes({ HapaxStep: troubled === undefined ? [] : [troubled] });
    this.#troubled = troubled;
  }

  log(message: string, about: Readonly<Record<string, unknown>>): void {
    log.warn(message, about);
  }

  #news(): void {
    this.#heard += 1;
  }

  #cancelled(): void {
    this.#news();
    if (this.#interrupt?.cancellable) this.#interrupt.now();
  }
}

function near<Call, Reply>(activity: string, options: Parameters<typeof proxyLocalActivities>[0]): Run<Call, Reply> {
  return proxyLocalActivities<Record<string, Run<Call, Reply>>>(options)[activity] as Run<Call, Reply>;
}

async function orUnfinished<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw unfinished(error);
  }
}

/** The ledger's moves, whose failures the engine understands. */
function moves(): LedgerMoves {
  const local = proxyLocalActivities<LedgerMoves>(nearOptions(ledgerMove));
  return {
    take: (call) => orUnfinished(local.take(call)),
    compensate: (call) => orUnfinished(local.compensate(call)),
    settle: (call) => orUnfinished(local.settle(call)),
    proceed: (call) => orUnfinished(local.proceed(call)),
    reportBug: (call) => orUnfinished(local.reportBug(call)),
    leave: (call) => orUnfinished(local.leave(call)),
    requestCancel: (call) => orUnfinished(local.requestCancel(call)),
  };
}
