import type { ActionState } from './action-state.ts';

/** The state of an action, and who is told of its changes. */
export class ShownState {
  readonly #listeners = new Set<() => void>();
  #state: ActionState = { status: 'idle' };

  /** It is another object after each change, and only then. */
  get now(): ActionState {
    return this.#state;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  show(state: ActionState): void {
    if (JSON.stringify(state) === JSON.stringify(this.#state)) return;
    this.#state = state;
    for (const listener of this.#listeners)
      try {
        listener();
      } catch (error) {
        // It is the page's fault, and told as such. The action goes on.
        queueMicrotask(() => {
          throw error;
        });
      }
  }
}
