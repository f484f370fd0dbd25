import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import pLimit from 'p-limit';
import type { Opening, OperationRef } from '../../workflows/operation/call.ts';
import { seconds } from '../../workflows/operation/duration.ts';
import { type Scope, workflowId } from '../../workflows/operation/key.ts';
import { fairnessKey } from './fairness-key.ts';
import { searchAttributes } from '../../workflows/operation/search-attributes.ts';

/** What Temporal has to know about an operation. */
type Startable = OperationRef & { readonly scope: Scope; readonly generation: number };

/** What has changed in the ledger, for a story that may be waiting for it. */
export type Signal = 'wake' | 'cancelRequested' | 'resolved';

/** With this timeout, a worker killed inside a local activity costs 2.6 s. With the default of 10 s it costs 10.0 s. */
const workflowTaskTimeout = seconds(2);

/**
 * Workflow starts that a process sends at once; the others wait for their turn. Temporal serves starts and workers from
 * the same store: hundreds of starts at once kept it from handing out tasks, so workers stood idle while callers gave
 * up.
 */
const startsAtOnce = 10;

/** Temporal drives progress and decides nothing: each of these calls may be repeated, lost or late. */
export class Workflows {
  readonly #client: Client;
  readonly #taskQueue: string;
  readonly #turn = pLimit(startsAtOnce);

  constructor(client: Client, taskQueue: string) {
    this.#client = client;
    this.#taskQueue = taskQueue;
  }

  /**
   * Starts the workflow of an operation, or finds it running.
   * @param opening what the claimer knows; without it the story reads the ledger first
   */
  async start(operation: Startable, opening?: Opening): Promise<void> {
    await this.#start(operation, 'ALLOW_DUPLICATE_FAILED_ONLY', opening);
  }

  /** For upkeep, which has found the row still open in the ledger. If the last run has ended, a new one starts. */
  async startAgain(operation: Startable): Promise<void> {
    await this.#start(operation, 'ALLOW_DUPLICATE');
  }

  async #start(
    operation: Startable,
    workflowIdReusePolicy: 'ALLOW_DUPLICATE' | 'ALLOW_DUPLICATE_FAILED_ONLY',
    opening?: Opening,
  ): Promise<void> {
    const { scope, generation } = operation;
    try {
      await this.#turn(() =>
        this.#client.workflow.start(scope.flow, {
          workflowId: workflowId(scope, generation),
          ...this.#options(operation, opening),
          workflowIdConflictPolicy: 'USE_EXISTING',
          workflowIdReusePolicy,
        }),
      );
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }

  /** Like `start`, and also signals the story that its row has changed. */
  async startAndSignal(operation: Startable, signal: Signal): Promise<void> {
    const { scope, generation } = operation;
    await this.#client.workflow.signalWithStart(scope.flow, {
      workflowId: workflowId(scope, generation),
      ...this.#options(operation),
      signal,
    });
  }

  /** Signals a running story that its row has changed. A story that has ended needs no signal. */
  async signal({ scope, generation }: Pick<Startable, 'scope' | 'generation'>, signal: Signal): Promise<void> {
    try {
      await this.#client.workflow.getHandle(workflowId(scope, generation)).signal(signal);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  /** Whether the sentinel workflow runs. It does nothing; when it is missing, Temporal has lost its memory. */
  async sentinelStands(): Promise<boolean> {
    try {
      const { status } = await this.#client.workflow.getHandle(this.#sentinel).describe();
      return status.name === 'RUNNING';
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      return false;
    }
  }

  /**
   * Its summary is encrypted with the key that payloads are encrypted with now.
   * @throws when this process cannot decrypt it
   */
  async readSentinel(): Promise<void> {
    try {
      await (await this.#client.workflow.getHandle(this.#sentinel).describe()).staticSummary();
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
    }
  }

  /** @param standing what to do about one that stands; `TERMINATE_EXISTING` has its summary encrypted anew */
  async raiseSentinel(standing: 'USE_EXISTING' | 'TERMINATE_EXISTING' = 'USE_EXISTING'): Promise<void> {
    await this.#client.workflow.start('sentinel', {
      workflowId: this.#sentinel,
      taskQueue: this.#taskQueue,
      args: [],
      workflowIdConflictPolicy: standing,
      staticSummary: 'Missing when Temporal has lost its memory: upkeep then starts every open operation again',
    });
  }

  /** Has our books compared with the payment provider's ledger, from now on. @param every milliseconds; 0: never */
  async scheduleReconciler(every: number): Promise<void> {
    const scheduleId = `reconcile/${this.#taskQueue}`;
    const spec = { intervals: [{ every }], jitter: Math.floor(every / 10) };
    try {
      if (every === 0) return await this.#client.schedule.getHandle(scheduleId).delete();
      await this.#client.schedule.create({
        scheduleId,
        spec,
        // One that takes long is not joined by the next, and one that was missed is made up for by the next.
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' },
        action: {
          type: 'startWorkflow',
          workflowType: 'reconcile',
          workflowId: scheduleId,
          taskQueue: this.#taskQueue,
        },
      });
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) return;
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      await this.#client.schedule.getHandle(scheduleId).update((known) => ({ ...known, spec }));
    }
  }

  get #sentinel(): string {
    return `sentinel/${this.#taskQueue}`;
  }

  /** Registers the search attributes by which operations are found. Attributes that exist stay as they are. */
  async registerSearchAttributes(namespace: string): Promise<void> {
    const { operatorService } = this.#client.connection as unknown as {
      operatorService: { addSearchAttributes(request: unknown): Promise<unknown> };
    };
    const keyword = 2;
    await operatorService
      .addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(searchAttributes.map((name) => [name, keyword])),
      })
      .catch((error: unknown) => {
        if (!/already exist/i.test(String((error as { details?: string }).details ?? error))) throw error;
      });
  }

  #options({ id, tenant, environment, flow, scope }: Startable, opening?: Opening) {
    return {
      taskQueue: this.#taskQueue,
      args: [{ id, tenant, environment, flow }, ...(opening === undefined ? [] : [opening])] as [
        OperationRef,
        Opening?,
      ],
      workflowTaskTimeout,
      // Activities inherit it. So one tenant's backlog does not keep the others waiting, where the server serves fairly.
      priority: { fairnessKey: fairnessKey(tenant) },
      searchAttributes: { HapaxTenant: [tenant], HapaxFlow: [flow], HapaxKey: [scope.key] },
      staticSummary: `${flow} of ${tenant} (${environment})`,
      staticDetails: `Operation ${id}, key ${scope.key}`,
    };
  }
}
