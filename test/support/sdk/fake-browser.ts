import { type ActionStore, memoryStore } from '../../../sdk/action-store.ts';
import type { ActionOptions } from '../../../sdk/action-options.ts';
import { hapaxClient } from '../../../sdk/client.ts';
import type { Locks } from '../../../sdk/leader.ts';
import { newKey } from '../../../sdk/new-key.ts';
import { FakeApi } from './fake-api.ts';
import { VirtualClock } from './virtual-clock.ts';

/** A browser with one storage, in virtual time, before a fake API. */
export class FakeBrowser {
  readonly clock = new VirtualClock();
  readonly api = new FakeApi(this.clock);
  readonly texts = memoryStore();
  readonly #locks: Locks | undefined;
  readonly #random: () => number;

  constructor({ locks = fakeLocks(), random = () => 0.5 }: { locks?: Locks | 'none'; random?: () => number } = {}) {
    this.#locks = locks === 'none' ? undefined : locks;
    this.#random = random;
  }

  /** A page with one button. A refresh is another one. */
  page(options: Partial<ActionOptions<AnyThing>> = {}, store: ActionStore = this.texts) {
    const { now, sleep, timeout } = this.clock;
    const client = hapaxClient(
      { url: 'http://api.test', headers: () => ({ authorization: 'Bearer token' }), store },
      { fetch: this.api.fetch, now, sleep, timeout, newKey, random: this.#random, locks: this.#locks },
    );
    return client.action<AnyThing>({ flow: 'purchase', route: 'purchases', ...options });
  }
}

type Things = { readonly thing: string; readonly card?: string; readonly takes?: number };
type AnyThing = {
  readonly request: { readonly '~standard': { readonly types?: { readonly input: Things; readonly output: Things } } };
  readonly result: {
    readonly '~standard': { readonly types?: { readonly input: object; readonly output: { readonly order: string } } };
  };
  readonly steps: { readonly reserve: object; readonly capture: object };
};

/** Web Locks in one process: whoever asks later waits for whoever asked earlier. */
export function fakeLocks(): Locks {
  const queues = new Map<string, Promise<unknown>>();
  return {
    request<T>(name: string, _: { readonly signal?: AbortSignal }, run: () => Promise<T>): Promise<T> {
      const turn = (queues.get(name) ?? Promise.resolve()).then(run, run);
      queues.set(
        name,
        turn.catch(() => undefined),
      );
      return turn;
    },
  };
}
