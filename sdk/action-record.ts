import type { ActionStore } from './action-store.ts';
import { asksOf } from './asks-of.ts';
import type { Course } from './course.ts';

/** What is kept of an action. It has no input and no result: nothing personal but a fingerprint. */
export type ActionRecord = {
  readonly key: string;
  readonly fingerprint: string;
  /** Retries that were begun by themselves. */
  readonly retries: number;
  /** The operation, once the server has named it. */
  readonly operation?: string;
  /** When the newest request left, while nobody has heard what became of it. Milliseconds since 1970. */
  readonly sent?: number;
  /** A submit from then on makes a new key: the outcome was seen, or its problem asks for a new key. Milliseconds since 1970. */
  readonly over?: number;
  /** The person has seen the outcome, so a refresh need not show it. */
  readonly seen?: true;
};

/** The form of what is stored. A record of another form is treated as missing. */
const version = 1;

/** @returns the same record where the course adds nothing to it */
export function remembered(before: ActionRecord, { state, retries, doubt }: Course, now: number): ActionRecord {
  const operation = 'operation' in state ? (state.operation ?? before.operation) : before.operation;
  // A person who is asked to call us does not begin anew by a click.
  const needsNewKey = state.status === 'refused' && !state.sameKeySafe && asksOf(state) !== 'contact';
  const over = before.over ?? (needsNewKey ? now : undefined);
  const leaves = state.status === 'submitting' && !state.slow;
  // A request that was answered is not on its way any more, unless the answer to an earlier one was lost.
  const pending = doubt || state.status === 'submitting' ? before.sent : undefined;
  const sent = leaves ? now : pending;
  if (operation === before.operation && over === before.over && retries === before.retries && sent === before.sent)
    return before;
  const { sent: _, ...kept } = before;
  return {
    ...{ ...kept, retries },
    ...(sent === undefined ? {} : { sent }),
    ...(operation === undefined ? {} : { operation }),
    ...(over === undefined ? {} : { over }),
  };
}

/** Whether a request of the action may have arrived without an answer, or is known to have begun an operation. */
export const inDoubt = ({ sent, operation }: ActionRecord): boolean => sent !== undefined || operation !== undefined;

/** One place of the store, which holds the newest action of its name. */
export class RecordPlace {
  readonly name: string;
  readonly #store: ActionStore;

  constructor(store: ActionStore, name: string) {
    this.#store = store;
    this.name = name;
  }

  /** @throws Error where there is no store */
  async read(): Promise<ActionRecord | undefined> {
    const text = await stored(async () => await this.#store.get(this.name));
    try {
      const { v, ...record } = JSON.parse(text ?? '{}') as ActionRecord & { readonly v?: number };
      return v === version ? record : undefined;
    } catch {
      return undefined;
    }
  }

  /** @throws Error where there is no store, or it is full: without a record nothing is sent */
  async write(record: ActionRecord): Promise<void> {
    await stored(async () => await this.#store.set(this.name, JSON.stringify({ v: version, ...record })));
  }

  /**
   * Writes the record of an action that stands there already, unless another tab has begun a newer one since then.
   * @param alone whether no other tab can have done so
   */
  async writeOwn(record: ActionRecord, alone = false): Promise<void> {
    const key = alone ? record.key : (await this.read())?.key;
    if (key === undefined || key === record.key) await this.write(record);
  }
}

async function stored<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (cause) {
    throw new Error(
      'The key of this action cannot be stored, so nothing was sent: without its key, a refresh could repeat the action. ' +
        'Allow storage for this site, or give `hapaxClient` another `store`.',
      { cause },
    );
  }
}
