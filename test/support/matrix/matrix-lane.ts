import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LedgerFault } from '../../../activities/stores/postgres/ledger-fault.ts';
import type { CancelDecision } from '../../../activities/stores/postgres/ledger/request-cancel.ts';
import type { OperationRecord } from '../../../activities/stores/postgres/ledger/read-operation.ts';
import { operationId } from '../../../workflows/operation/key.ts';
import { isSettled } from '../../../workflows/operation/state.ts';
import type { ProcessHandle } from '../process-handle.ts';
import type { TicketOffice } from '../ticket-office.ts';
import type { World } from '../world.ts';
import type { FaultCase } from './fault-cases.ts';
import { bringAll, requestOf } from './flow-callers.ts';
import { type UnhurriedGateway, unhurriedGateway } from './unhurried-gateway.ts';

/** A case as it is run: in a tenant of its own. */
export type Running = FaultCase & {
  readonly tenant: string;
  readonly id: string;
  /** What the cancel was answered with. */
  cancelled?: CancelDecision;
};

type Outside = { readonly world: World; readonly office: TicketOffice };

const script = 'test/support/matrix/matrix-worker.ts';
/** Others use the same two cores, and a media step in doubt pauses for 1, 4 and 16 s. Milliseconds. */
const longest = 90_000;

/** One name for all: tenants are apart. */
const caller = { environment: 'test', subject: 'default', key: 'the-key' } as const;

export function running(one: FaultCase, tenant: string): Running {
  return { ...one, tenant, id: operationId({ ...caller, tenant, flow: one.flow.name }, 1) };
}

/**
 * One queue with one worker at a time. A worker carries a batch of cases until all stand at their boundaries, and is then
 * killed; the next one brings them to their ends before it gets a batch of its own.
 */
export class MatrixLane {
  readonly #outside: Outside;
  readonly #queue: string;
  readonly #connected: UnhurriedGateway;

  private constructor(outside: Outside, queue: string, connected: UnhurriedGateway) {
    this.#outside = outside;
    this.#queue = queue;
    this.#connected = connected;
  }

  static async open(outside: Outside, name: string): Promise<MatrixLane> {
    const { world } = outside;
    const queue = `${world.env.HAPAX_TASK_QUEUE}-${name}`;
    const connected = await unhurriedGateway(world, queue);
    return new MatrixLane(outside, queue, connected);
  }

  /** @param take gives the next batch; undefined when there is none */
  async run(take: () => readonly Running[] | undefined): Promise<void> {
    let before: readonly Running[] = [];
    for (;;) {
      const batch = take();
      if (batch === undefined && before.length === 0) return;
      const worker = await this.#worker(batch ?? []);
      try {
        await this.#ended(before);
        if (batch !== undefined) await this.#harmed(batch, worker);
      } finally {
        await worker.kill();
      }
      before = batch ?? [];
    }
  }

  async #worker(batch: readonly Running[]): Promise<ProcessHandle> {
    const { world } = this.#outside;
    const plans = join(world.directory, `${this.#queue}-${batch[0]?.tenant ?? 'last'}.json`);
    await writeFile(plans, JSON.stringify(Object.fromEntries(batch.map(({ id, plan }) => [id, plan]))));
    return await world.start(script, { HAPAX_TASK_QUEUE: this.#queue }, [plans]);
  }

  /** Each case comes to the last of its boundaries, or to its end where it has none at which it is killed. */
  async #harmed(batch: readonly Running[], worker: ProcessHandle): Promise<void> {
    const cancels = batch.filter(({ cancel }) => cancel !== undefined);
    // Those first: whoever stands in a transaction is turned out by PostgreSQL after 3 s.
    await Promise.all(cancels.map((one) => this.#begin(one)));
    await Promise.all(cancels.map((one) => this.#cancel(one)));
    worker.signal('SIGHUP');
    const others = batch.filter(({ cancel }) => cancel === undefined);
    await Promise.all(others.map((one) => this.#begin(one)));
    const killed = batch.filter(({ plan }) => plan.stops.at(-1)?.until === 'killed');
    await Promise.all(killed.map((one) => this.#stands(one)));
    await this.#ended(batch.filter((one) => !killed.includes(one)));
  }

  async #begin({ flow, tenant, cancel }: Running): Promise<void> {
    const { gateway } = this.#connected;
    const request = requestOf(flow, this.#outside, tenant) as never;
    // A connection may take longer than its second on a busy machine; the same key is asked again.
    const told = await this.#until(`${tenant} begins`, () =>
      gateway.start(flow, { ...caller, tenant, request }).catch(unlessAway),
    );
    if (cancel === 'waiting') return;
    await bringAll(flow, this.#connected, await this.#record(tenant, told.id), this.#outside);
  }

  async #cancel(one: Running): Promise<void> {
    const { world } = this.#outside;
    if (one.cancel === 'waiting')
      await this.#until(`${one.name} waits`, async () => {
        const steps = await world.sql<{ name: string }>('select name from hapax.step where operation_id = $1', one.id);
        const state = await world.state(one.id);
        return state === 'waiting' && steps.some(({ name }) => one.shows === `cancel ${name}`);
      });
    else await this.#stands(one);
    one.cancelled = await this.#connected.gateway.cancel(await this.#record(one.tenant, one.id));
  }

  /** @returns once the case stands at the boundary that it comes to next */
  async #stands({ name, id, plan, cancelled }: Running): Promise<void> {
    const stop = cancelled === undefined ? plan.stops[0] : plan.stops.at(-1);
    const line = `stands ${id} ${stop?.at}\n`;
    await this.#until(`${name} stands at ${stop?.at}`, async () => (await this.log()).includes(line)).catch(
      async (cause) => {
        const { world } = this.#outside;
        const steps = await world.sql<{ name: string; state: string }>(
          'select name, state from hapax.step where operation_id = $1 order by position',
          id,
        );
        const stood = steps.map((step) => `${step.name} ${step.state}`).join(', ');
        throw new Error(`${(cause as Error).message}; it is ${await world.state(id)}: ${stood}`, { cause });
      },
    );
  }

  async log(): Promise<string> {
    const file = `${script.replaceAll('/', '-')}.log`;
    return await readFile(join(this.#outside.world.directory, file), 'utf8').catch(() => '');
  }

  async #ended(batch: readonly Running[]): Promise<void> {
    const { world } = this.#outside;
    const ids = batch.map(({ id }) => id);
    const open = async () =>
      (await world.sql<{ id: string; state: never }>('select id, state from hapax.operation where id = any($1)', ids))
        .filter(({ state }) => !isSettled(state))
        .map(({ id, state }) => `${batch.find((one) => one.id === id)?.name} is ${state}`);
    await this.#until('all settle', async () => (await open()).length === 0).catch(async () => {
      throw new Error(`Not within ${longest} ms: ${(await open()).join('; ')}`);
    });
  }

  /** Asks again with the same key, twice at once. @returns what both are told, without how they came to it */
  async asks({ flow, tenant }: Running): Promise<readonly unknown[]> {
    const { gateway } = this.#connected;
    const request = requestOf(flow, this.#outside, tenant) as never;
    const ask = () =>
      this.#until(`${tenant} asks again`, () =>
        gateway.run(flow, { ...caller, tenant, request }, longest).catch(unlessAway),
      );
    return (await Promise.all([ask(), ask()])).map(({ how: _how, ...told }) => told);
  }

  async #record(tenant: string, id: string): Promise<OperationRecord> {
    const record = await this.#connected.gateway.status(tenant, id);
    if (record === undefined) throw new Error(`${id} of ${tenant} is not in the ledger`);
    return record;
  }

  async #until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
    return await this.#outside.world.until(what, look, longest, 50);
  }

  async close(): Promise<void> {
    await this.#connected.close();
  }
}

function unlessAway(error: unknown): undefined {
  if (error instanceof LedgerFault && error.code === 'unavailable') return;
  throw error;
}
