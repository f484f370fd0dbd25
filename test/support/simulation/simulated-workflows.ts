import type { Client } from '@temporalio/client';
import type { Activity } from '../../../activities/engine/named-activities.ts';
import { type Signal, Workflows } from '../../../client/gateway/workflows.ts';
import { operations } from '../../../workflows/flows.ts';
import type { Opening, OperationRef } from '../../../workflows/operation/call.ts';
import { seconds } from '../../../workflows/operation/duration.ts';
import { type Scope, workflowId } from '../../../workflows/operation/key.ts';
import { SimulatedRun } from './simulated-run.ts';
import { SimulatedTeller } from './simulated-teller.ts';
import type { Host, VirtualTime } from './virtual-time.ts';

type Startable = OperationRef & { readonly scope: Scope; readonly generation: number };

/** After this long without a word of its worker, Temporal gives a task to another one. Milliseconds. */
const noticed = seconds(2);

/** Temporal's part, in this process: it starts runs, gives them to workers, and passes on signals. */
export class SimulatedWorkflows extends Workflows {
  readonly #time: VirtualTime;
  readonly #activities: Readonly<Record<string, Activity>>;
  readonly #runs = new Map<string, SimulatedRun>();
  /** What each worker tells. */
  readonly #hosted = new Map<Host, SimulatedRun[]>();
  #hosts: Host[] = [];
  #begun = 0;
  /** Whether runs were lost that nobody has started again. */
  lost = false;

  constructor(time: VirtualTime, activities: Readonly<Record<string, Activity>>) {
    super(undefined as unknown as Client, 'simulated');
    this.#time = time;
    this.#activities = activities;
    this.#hosts = [this.#newHost(), this.#newHost()];
  }

  override async start(operation: Startable, opening?: Opening): Promise<void> {
    const run = this.#run(operation);
    if (run?.state !== 'running' && run?.state !== 'completed') this.#begin(operation, opening);
  }

  override async startAgain(operation: Startable): Promise<void> {
    if (this.#run(operation)?.state !== 'running') this.#begin(operation, undefined);
  }

  override async startAndSignal(operation: Startable, signal: Signal): Promise<void> {
    await this.startAgain(operation);
    await this.signal(operation, signal);
  }

  override async signal({ scope, generation }: Pick<Startable, 'scope' | 'generation'>, signal: Signal): Promise<void> {
    this.#runs.get(workflowId(scope, generation))?.signal(signal);
  }

  /** Temporal loses what a worker tells. The worker itself knows nothing of that yet. */
  readonly forget = (host: Host): void => {
    for (const run of this.#hosted.get(host) ?? []) {
      if (run.state !== 'running' || run.host !== host) continue;
      run.state = 'forgotten';
      run.host = undefined;
    }
    this.lost = true;
  };

  isRunning(id: string): boolean {
    return [...this.#runs.values()].some(({ operation, state }) => operation.id === id && state === 'running');
  }

  #run({ scope, generation }: Startable): SimulatedRun | undefined {
    return this.#runs.get(workflowId(scope, generation));
  }

  #begin({ scope, generation, ...rest }: Startable, opening: Opening | undefined): void {
    this.#begun += 1;
    const { id, tenant, environment, flow } = rest;
    const run = new SimulatedRun(`run-${this.#begun}`, { id, tenant, environment, flow }, opening, this.#time.now);
    this.#runs.set(workflowId(scope, generation), run);
    this.#time.spawn(() => this.#keepTold(run));
  }

  /** Gives the run to one worker after another, until one has told it to its end. */
  async #keepTold(run: SimulatedRun): Promise<void> {
    while (run.state === 'running') {
      const host = this.#host();
      run.host = host;
      this.#hosted.set(host, [...(this.#hosted.get(host) ?? []), run]);
      const telling = this.#time.spawn(() => this.#tell(run, host), host);
      const isOver = () => telling.end !== undefined || run.state !== 'running';
      const isStill = () => host.dead || host.thawsAt > this.#time.now;
      while (!isOver()) {
        await this.#time.until(() => isOver() || isStill());
        await this.#time.until(isOver, noticed);
        if (isStill()) break;
      }
      if (isOver()) return;
    }
  }

  async #tell(run: SimulatedRun, host: Host): Promise<void> {
    const teller = new SimulatedTeller(this.#time, run, host, this.#activities);
    const story = operations.find(({ flow }) => flow.name === run.operation.flow);
    let state: SimulatedRun['state'] = 'completed';
    try {
      await story?.tell(teller, run.operation, run.opening);
    } catch {
      // As Temporal shows it: upkeep starts another run.
      state = 'failed';
    }
    await teller.close();
    if (run.state === 'running') run.state = state;
  }

  /** A worker that works: one that died was started anew. */
  #host(): Host {
    this.#hosts = this.#hosts.map((host) => (host.dead ? this.#newHost() : host));
    const working = this.#hosts.filter(({ thawsAt }) => thawsAt <= this.#time.now);
    if (working.length === 0) this.#hosts.push(this.#newHost());
    const choice = working.length === 0 ? this.#hosts.slice(-1) : working;
    return choice[Math.floor(this.#time.random() * choice.length)] as Host;
  }

  #newHost(): Host {
    return { name: `worker-${this.#hosted.size}`, dead: false, thawsAt: 0 };
  }
}
