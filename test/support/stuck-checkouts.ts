import { operationId } from '../../workflows/operation/key.ts';
import { checkoutScope } from './lane.ts';
import { type calls, plan } from './provider-faults.ts';
import type { Answered, World } from './world.ts';

/** The provider swallows each request of a call for as long as the test lasts. */
const dead = { fault: 'drop_before', times: 10_000 } as const;

/** Checkouts whose payment provider does not answer, so that they make no progress, named by their keys. */
export class StuckCheckouts {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  idOf(name: string): string {
    return operationId(checkoutScope(this.#world, name), 1);
  }

  /** As an operator sees it. */
  async look(name: string): Promise<Answered['json']> {
    return (await this.#world.ask('GET', `/v1/operations/${this.idOf(name)}`, { token: 'operator-alpha' })).json;
  }

  /** Begins one that is stuck at a call of the provider. @returns its operation, once it is in trouble */
  async stuck(name: string, call: keyof typeof calls, changes = {}): Promise<string> {
    await plan(this.#world, this.idOf(name), call, dead);
    return await this.begun(name, changes);
  }

  /** Begins one whose provider has been told how to fail. @returns its operation, once it is in trouble */
  async begun(name: string, changes = {}): Promise<string> {
    await this.#world.checkout(name, changes, { headers: { prefer: 'wait=0' } });
    await this.#world.until(`${name} is in trouble`, async () => (await this.look(name)).trouble !== undefined);
    return this.idOf(name);
  }

  /** The provider answers again, and the operation ends. */
  async healed(name: string): Promise<void> {
    await this.#world.sandboxControl('DELETE', 'faults');
    await this.settled(name);
  }

  async settled(name: string): Promise<void> {
    await this.#world.until(`${name} settles`, async () => (await this.look(name)).settledAt !== undefined, 50_000);
  }

  resolve(name: string, body: object, token = 'operator-alpha'): Promise<Answered> {
    return this.#world.ask('POST', `/v1/operations/${this.idOf(name)}/resolve`, { token, body });
  }

  /** Waits until the last word on an operation is decided. @returns how */
  async decided(name: string): Promise<{ standing: string; says?: string }> {
    return await this.#world.until(`a word on ${name} is decided`, async () => {
      const last = (await this.look(name)).resolutions?.at(-1);
      return last === undefined || last.standing === 'waiting' ? undefined : last;
    });
  }
}
