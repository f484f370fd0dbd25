import { minutes, milliseconds } from '../../workflows/operation/duration.ts';
import type { Claimed } from '../../activities/stores/postgres/ledger/claim.ts';
import type { SettledState } from '../../workflows/operation/state.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Asked } from './asked.ts';
import type { KeptAnswer, SettledReply } from './reply.ts';

/** Enough for the last hours of a shop with ten orders a second. */
const usualEntries = 100_000;
/** How long memory serves an answer without asking the ledger again. */
const lifetime = minutes(1);
/** The same while nobody would tell us that an answer was erased. An erased answer must be gone within a second. */
const lifetimeUntold = milliseconds(800);

/** Settled answers that this process can give without asking the ledger. */
export class RememberedAnswers {
  readonly #cache: AnswerCache;
  readonly #isTold: () => boolean;
  /** Grows whenever something is forgotten: an answer that was read before that may be what was erased. */
  #forgotten = 0;
  /** When each request that is under way has asked, by that count. */
  readonly #asked = new WeakMap<Asked, number>();

  /**
   * @param isTold whether this process hears now of answers that are erased
   * @param entries 0 remembers nothing
   */
  constructor(isTold: () => boolean, entries = usualEntries) {
    this.#cache = new AnswerCache(entries);
    this.#isTold = isTold;
  }

  /** @returns the answer, and whether it answers this very request; undefined when the ledger has to be asked */
  find(asked: Asked): { readonly replay: SettledReply; readonly same: boolean } | undefined {
    this.#asked.set(asked, this.#forgotten);
    const cached = this.#cache.get(asked.name);
    if (cached === undefined || cached.replay.answer.flowVersion !== asked.flow.version) return undefined;
    return { replay: cached.replay, same: cached.fingerprint === asked.digest };
  }

  /** Keeps the answer of a first generation only: a later generation may be followed by another. */
  keep(
    asked: Asked,
    claimed: Claimed & { readonly workflowId: string },
    answer: KeptAnswer,
    state: SettledState,
  ): void {
    if (claimed.generation !== 1 || claimed.renewable || this.#asked.get(asked) !== this.#forgotten) return;
    const { id, requestId: originalRequest, workflowId } = claimed;
    const replay = { kind: 'settled', how: 'replayed', id, workflowId, originalRequest, answer, state } as const;
    const longest = this.#isTold() ? lifetime : lifetimeUntold;
    this.#cache.put(asked.name, { fingerprint: asked.digest, replay }, longest);
  }

  /** @param operations whose answers were erased; undefined forgets everything */
  forget(operations: readonly string[] | undefined): void {
    this.#forgotten += 1;
    this.#cache.forget(operations);
  }
}
