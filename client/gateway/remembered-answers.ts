import type { SettledState } from '../../workflows/operation/state.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Asked } from './asked.ts';
import type { CopyParts, Found } from './claim-or-copy.ts';
import type { KeptAnswer, SettledReply } from './reply.ts';

/** Enough for the last hours of a shop with ten orders a second. */
const usualEntries = 100_000;

type RememberedParts = CopyParts & {
  /** 0 remembers nothing in this process. */
  readonly cacheEntries?: number;
};

/** Settled answers that this process can give without asking anyone, and what it leaves of them for others. */
export class RememberedAnswers {
  readonly #cache: AnswerCache;
  readonly #parts: RememberedParts;

  constructor(parts: RememberedParts) {
    this.#parts = parts;
    this.#cache = new AnswerCache(parts.cacheEntries ?? usualEntries);
  }

  /** @returns the answer, and whether it answers this very request; undefined when the ledger has to be asked */
  find({ flow, name, digest }: Asked): { readonly replay: SettledReply; readonly same: boolean } | undefined {
    const { epoch } = this.#parts;
    // Without a fresh epoch nobody knows whether an answer was erased.
    if (epoch?.isFresh === false) return undefined;
    const cached = this.#cache.get(name, epoch?.now ?? 0);
    if (cached === undefined || cached.replay.answer.flowVersion !== flow.version) return undefined;
    return { replay: cached.replay, same: cached.fingerprint === digest };
  }

  /** Keeps the answer of a first generation only: a later generation may be followed by another. */
  keep(asked: Asked, found: Found, answer: KeptAnswer, state: SettledState): void {
    if (found.generation !== 1 || found.renewable) return;
    const { id, requestId: originalRequest, workflowId, epoch } = found;
    const replay = { kind: 'settled', how: 'replayed', id, workflowId, originalRequest, answer, state } as const;
    this.#cache.put(asked.name, { fingerprint: asked.digest, epoch, replay });
    if (found.from === 'ledger') this.#parts.copies?.keep(asked, replay, epoch);
  }
}
