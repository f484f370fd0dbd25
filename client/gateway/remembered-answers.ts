import type { Claimed } from '../../activities/stores/postgres/ledger/claim.ts';
import { fingerprintVersion } from '../../workflows/operation/fingerprint.ts';
import type { SettledState } from '../../workflows/operation/state.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Asked } from './asked.ts';
import type { KeptAnswer, SettledReply } from './reply.ts';

/** Enough for the last hours of a shop with ten orders a second. */
const usualEntries = 100_000;

/** Settled answers that this process can give without asking the ledger. */
export class RememberedAnswers {
  readonly #cache: AnswerCache;

  /** @param entries 0 remembers nothing */
  constructor(entries = usualEntries) {
    this.#cache = new AnswerCache(entries);
  }

  /** @returns the answer, and whether it answers this very request; undefined when the ledger has to be asked */
  find({ flow, name, digest }: Asked): { readonly replay: SettledReply; readonly same: boolean } | undefined {
    const cached = this.#cache.get(name);
    if (cached?.fingerprintVersion !== fingerprintVersion || cached.replay.answer.flowVersion !== flow.version)
      return undefined;
    return { replay: cached.replay, same: cached.fingerprint === digest };
  }

  /** Keeps the answer of a first generation only: a later generation may be followed by another. */
  keep(
    { name, digest }: Asked,
    claimed: Claimed & { readonly workflowId: string },
    answer: KeptAnswer,
    state: SettledState,
  ): void {
    if (claimed.generation !== 1 || claimed.renewable) return;
    const { id, requestId: originalRequest, workflowId } = claimed;
    const replay = { kind: 'settled', how: 'replayed', id, workflowId, originalRequest, answer, state } as const;
    this.#cache.put(name, { fingerprint: digest, fingerprintVersion, replay });
  }
}
