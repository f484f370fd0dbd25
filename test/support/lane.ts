import { readFile } from 'node:fs/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { LedgerFault } from '../../activities/stores/postgres/ledger-fault.ts';
import type { ConnectedGateway } from '../../client/gateway/connect.ts';
import { checkoutFlow } from '../../workflows/checkout.flow.ts';
import { operationId, type Scope, workflowId } from '../../workflows/operation/key.ts';
import type { Ports } from '../../workers/operations.ts';
import type { Harm } from './boundaries/harm-at.ts';
import { type OwnQueue, ownQueue, scopeOf } from './own-queue.ts';
import type { ProcessHandle } from './process-handle.ts';
import { type WorkerHere, workerHere } from './worker-here.ts';
import type { World } from './world.ts';

/**
 * One checkout on a queue of its own inside a world, so that only the workers that a test starts there ever run it.
 * Lanes of one world do not meet, except in the catalogue.
 */
export class Lane {
  readonly world: World;
  readonly key: string;
  readonly queue: string;
  readonly scope: Scope;
  readonly id: string;
  readonly changes: Readonly<Record<string, unknown>>;
  readonly #gateway: ConnectedGateway;
  readonly #temporal: Connection;
  readonly #here: WorkerHere[] = [];
  readonly #processes: ProcessHandle[] = [];

  private constructor(world: World, { scope, queue, connected }: OwnQueue, changes: Record<string, unknown>) {
    this.world = world;
    this.key = scope.key;
    this.changes = changes;
    this.queue = queue;
    this.scope = scope;
    this.id = operationId(scope, 1);
    this.#gateway = connected;
    this.#temporal = Connection.lazy({ address: world.env.TEMPORAL_ADDRESS as string });
  }

  static async open(world: World, name: string, changes: Record<string, unknown> = {}): Promise<Lane> {
    return new Lane(world, await ownQueue(world, 'checkout', name), changes);
  }

  /** A worker process that is harmed where it reaches `point`. */
  async faulty(harm: Harm, point: string): Promise<ProcessHandle> {
    const handle = await this.world.start('test/support/faulty-worker.ts', { HAPAX_TASK_QUEUE: this.queue }, [
      harm,
      point,
    ]);
    this.#processes.push(handle);
    return handle;
  }

  /** A healthy worker, in the process of the test. */
  async healthy(ports?: (own: Ports) => Ports, activities?: Parameters<typeof workerHere>[2]): Promise<WorkerHere> {
    const worker = await workerHere({ ...this.world.env, HAPAX_TASK_QUEUE: this.queue }, ports, activities);
    this.#here.push(worker);
    return worker;
  }

  /** Claims and starts the checkout. */
  async start(): Promise<void> {
    const request = checkoutFlow.request.parse(this.world.cart(this.key, this.changes));
    const { tenant, environment, subject } = this.scope;
    const ask = () =>
      this.#gateway.gateway.start(checkoutFlow, { tenant, environment, subject, key: this.key, request });
    // A connection may take longer than its second while workers start in this process; the same key is asked again.
    await this.world.until(`${this.key} is claimed`, () =>
      ask().then(
        () => true,
        (error: unknown) => {
          if (error instanceof LedgerFault && error.code === 'unavailable') return false;
          throw error;
        },
      ),
    );
  }

  async cancel(): Promise<string> {
    const record = await this.#gateway.gateway.status(this.scope.tenant, this.id);
    if (record === undefined) throw new Error(`${this.id} is not in the ledger`);
    return await this.#gateway.gateway.cancel(record);
  }

  /** The answer of the world's door, asked twice with the same key. */
  async answers() {
    const first = await this.world.checkout(this.key, this.changes);
    const second = await this.world.checkout(this.key, this.changes);
    return { first, second };
  }

  get workflow(): WorkflowHandle {
    return new Client({ connection: this.#temporal }).workflow.getHandle(workflowId(this.scope, 1));
  }

  /** @returns the time of the settling, milliseconds since 1970 */
  async settled(within = 30_000): Promise<number> {
    return await this.world.until(
      `${this.key} settles`,
      async () => {
        const [row] = await this.world.sql<{ settled_at: Date | null }>(
          'select settled_at from hapax.operation where id = $1',
          this.id,
        );
        return row?.settled_at?.getTime();
      },
      within,
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#here.map((worker) => worker.stop()), ...this.#processes.map((one) => one.kill())]);
    await this.#gateway.close();
    await this.#temporal.close();
  }
}

export function checkoutScope(world: World, key: string): Scope {
  return scopeOf(world, 'checkout', key);
}

/** Waits until the process has frozen itself. Linux: the state is the first field after the name (proc(5)). */
export async function frozen(world: World, handle: ProcessHandle): Promise<void> {
  await world.until(`${handle.name} is frozen`, async () => {
    const stat = await readFile(`/proc/${handle.pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  });
}
