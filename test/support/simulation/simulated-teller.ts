import { asyncLocalStorage } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activity } from '../../../activities/engine/named-activities.ts';
import type { Teller, Work } from '../../../workflows/engine/teller.ts';
import { Unfinished } from '../../../workflows/engine/unfinished.ts';
import { budgets, type Budget, ledgerMove, type Tries } from '../../../workflows/operation/budget.ts';
import type { LedgerMoves } from '../../../workflows/operation/call.ts';
import { isTransient, pauseOf, unfinished } from '../../../workflows/temporal/activity-error.ts';
import { activityContext } from './activity-context.ts';
import type { Recorded, SimulatedRun } from './simulated-run.ts';
import type { Host, VirtualTime } from './virtual-time.ts';

type Activities = Readonly<Record<string, Activity>>;
type Try = { readonly activity: string; readonly call: unknown; readonly attempt: number; readonly tries: Tries };

/**
 * Tells a story in this process and in virtual time, as the Temporal teller does. Short activities are part of the worker's
 * task: if it dies, they run again from the last task that it has completed. A worker that thaws goes on until its task is
 * to be completed, and then learns that another has it.
 */
export class SimulatedTeller implements Teller {
  readonly run: string;
  readonly ledger: LedgerMoves;
  readonly #time: VirtualTime;
  readonly #run: SimulatedRun;
  readonly #host: Host;
  readonly #activities: Activities;
  /** What this worker knows of the story: Temporal's history, and behind it what its own task has come to. */
  readonly #told: Recorded[];
  #commands = 0;

  constructor(time: VirtualTime, run: SimulatedRun, host: Host, activities: Activities) {
    this.run = run.id;
    this.#time = time;
    this.#run = run;
    this.#host = host;
    this.#activities = activities;
    this.#told = [...run.history];
    const move = async (activity: string, call: unknown) =>
      await this.#command(() => this.#near(activity, ledgerMove, call));
    this.ledger = new Proxy({} as LedgerMoves, {
      get: (_moves, name: string) => (call: unknown) => orUnfinished(move(name, call)),
    });
  }

  now(): number {
    return this.#isLive ? this.#time.now : (this.#told[this.#commands - 1]?.at ?? this.#run.requestedAt);
  }

  age(): number {
    return this.now() - this.#run.requestedAt;
  }

  heard(): number {
    return this.#isLive ? this.#run.heard : (this.#told[this.#commands - 1]?.heard ?? 0);
  }

  async listen(seen: number, atMost: number): Promise<void> {
    await this.#command(async () => {
      await this.#completeTask();
      await this.#time.until(() => this.#run.heard > seen, Math.max(1, atMost));
      await this.#expectOwn();
    });
  }

  async look<Call, Reply>(activity: string, _says: string, call: Call): Promise<Reply> {
    return (await orUnfinished(this.#command(() => this.#near(activity, ledgerMove, call)))) as Reply;
  }

  async perform<Call, Reply>(work: Work, call: Call): Promise<Reply> {
    const budget: Budget = budgets[work.placement];
    const { near } = budget;
    if (near === undefined || work.again) return (await this.#far(work, budget, call)) as Reply;
    try {
      return (await this.#command(() => this.#near(work.activity, near, call))) as Reply;
    } catch (error) {
      if (!isTransient(error) || work.brief) throw unfinished(error);
      const seen = this.heard();
      const pause = pauseOf(error);
      // Patience may end before.
      const left = Math.max(1, (work.until ?? Number.POSITIVE_INFINITY) - this.now());
      if (pause !== undefined) await this.listen(seen, Math.min(pause, left));
      return (await this.#far(work, budget, { ...call, again: true })) as Reply;
    }
  }

  show(): void {}

  log(): void {}

  /** The last task is completed, unless another worker has it. */
  async close(): Promise<void> {
    await this.#completeTask();
  }

  get #isLive(): boolean {
    return this.#commands >= this.#told.length;
  }

  async #command<T>(execute: () => Promise<T>): Promise<T> {
    let known = this.#told[this.#commands];
    if (known === undefined) {
      const outcome = await execute().then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      known = { outcome, at: this.#time.now, heard: this.#run.heard };
      this.#told.push(known);
    }
    this.#commands += 1;
    if ('error' in known.outcome) throw known.outcome.error;
    return known.outcome.value as T;
  }

  async #expectOwn(): Promise<void> {
    if (this.#run.host !== this.#host) await this.#time.vanish();
  }

  async #completeTask(): Promise<void> {
    await this.#expectOwn();
    this.#run.history = [...this.#told];
  }

  /** In the worker's own task. */
  async #near(activity: string, tries: Tries, call: unknown): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#try({ activity, call, attempt, tries });
      } catch (error) {
        if (!isTransient(error) || attempt === tries.atMost) throw error;
        await this.#time.sleep(pauseAfter(error, tries, attempt));
      }
    }
  }

  /** As a task of its own, which news interrupts and whose tries outlive a worker. */
  async #far(work: Work, budget: Budget, call: unknown): Promise<unknown> {
    try {
      return await this.#command(async () => {
        await this.#completeTask();
        return await this.#task(work, budget.far, call);
      });
    } catch (error) {
      throw unfinished(error);
    }
  }

  async #task({ activity, until, within, cancellable }: Work, tries: Tries, call: unknown): Promise<unknown> {
    if (this.#run.task?.command !== this.#commands)
      this.#run.task = { command: this.#commands, since: this.#time.now, cancellable, attempts: 0, interrupted: false };
    const { task } = this.#run;
    const end = Math.min(until ?? Number.POSITIVE_INFINITY, task.since + (within ?? Number.POSITIVE_INFINITY));
    for (;;) {
      task.attempts += 1;
      const attempt = task.attempts;
      const trying = this.#begin({ activity, call, attempt, tries });
      await this.#time.until(() => trying.end !== undefined || task.interrupted);
      await this.#expectOwn();
      let pause = 0;
      if (trying.end !== undefined && 'value' in trying.end) return trying.end.value;
      if (trying.end !== undefined) {
        const error = failureOf(trying.end.error);
        pause = pauseAfter(error, tries, attempt);
        if (!isTransient(error) || attempt === tries.atMost || this.#time.now + pause >= end) throw error;
      }
      await this.#time.until(() => task.interrupted, pause);
      await this.#expectOwn();
      if (task.interrupted) throw new Unfinished({ kind: 'interrupted' }, `${activity} is to be looked at anew`);
    }
  }

  async #try(what: Try): Promise<unknown> {
    try {
      return await this.#time.ended(this.#begin(what));
    } catch (error) {
      throw failureOf(error);
    }
  }

  #begin({ activity, call, attempt, tries }: Try) {
    const run = this.#activities[activity] as ((call: unknown) => Promise<unknown>) | undefined;
    if (run === undefined) throw new Error(`No worker knows the activity ${activity}`);
    return this.#time.spawn(
      async () => asJson(await asyncLocalStorage.run(activityContext(attempt, tries), () => run(asJson(call)))),
      this.#host,
    );
  }
}

/** Calls and replies cross Temporal's boundary as JSON. */
function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** Any error crosses Temporal's boundary as a failure, and but for its name and message nothing of it does. */
function failureOf(error: unknown): ApplicationFailure {
  if (error instanceof ApplicationFailure) return error;
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  return ApplicationFailure.create({ message, type: name });
}

function pauseAfter(error: unknown, { firstPause, growth, longestPause }: Tries, attempt: number): number {
  const asked = error instanceof ApplicationFailure ? Number(error.nextRetryDelay ?? Number.NaN) : Number.NaN;
  return asked > 0 ? asked : Math.min(longestPause, firstPause * growth ** (attempt - 1));
}

async function orUnfinished<T>(work: Promise<unknown>): Promise<T> {
  try {
    return (await work) as T;
  } catch (error) {
    throw unfinished(error);
  }
}
