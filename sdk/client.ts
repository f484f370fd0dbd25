import { Action } from './action.ts';
import type { ActionOptions } from './action-options.ts';
import { type ActionStore, localStore, memoryStore } from './action-store.ts';
import { Api, type ApiOptions } from './api.ts';
import type { AnyFlow, DeclaredFlow } from './declared-flow.ts';
import { polling } from './follow.ts';
import { live } from './live.ts';
import { usualSurroundings } from './surroundings.ts';

export type ClientOptions = ApiOptions & {
  /** Where keys are kept; by default localStorage. */
  readonly store?: ActionStore;
  /** Who asks, such as the user's id: people who share a browser must not find each other's actions. */
  readonly owner?: string;
};

/**
 * Asks the HTTP API of Hapax from a browser or from Node.
 *
 * @example
 * const client = hapaxClient({ url: 'https://api.example.org', headers: () => ({ authorization }) });
 * const pay = client.action<typeof checkoutFlow>({ flow: 'checkout', route: 'checkouts', name: cartId });
 * pay.subscribe(() => render(pay.state));
 * await pay.resume();
 */
export function hapaxClient(
  { store = localStore(), owner = '', ...options }: ClientOptions,
  surroundings = usualSurroundings(),
) {
  const api = new Api(options, surroundings);
  const source = live(api, surroundings, polling(api, surroundings));
  const memory = memoryStore();
  return {
    action<F extends DeclaredFlow = AnyFlow>(own: ActionOptions<F>): Action<F> {
      const place = `hapax/${[owner, own.flow, own.name ?? ''].map(encodeURIComponent).join('/')}`;
      return new Action<F>(own, { api, source, surroundings, place, store: own.harmless === true ? memory : store });
    },
  };
}
