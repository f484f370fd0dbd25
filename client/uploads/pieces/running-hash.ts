import { createSHA256, type IHasher } from 'hash-wasm';
import type { SavedHash } from '../../../activities/stores/postgres/uploads/sessions/take-session.ts';

/** A state begins with the digest of the code that wrote it, and no other build reads it. */
const tagOf = (state: Uint8Array): string => `hash-wasm/sha256/${Buffer.from(state.subarray(0, 4)).toString('hex')}`;

/** One hasher serves all uploads of a process, one update at a time: each has memory of its own, and few fit. */
const hasher: IHasher = await createSHA256();
const beginning = hasher.init().save();
const tag = tagOf(beginning);

/** A SHA-256 that can be put aside after any byte and taken up by another process. */
export class RunningHash {
  #state: Uint8Array;

  private constructor(state: Uint8Array) {
    this.#state = state;
  }

  static begin(): RunningHash {
    return new RunningHash(beginning);
  }

  /** @returns undefined when another implementation saved it: the bytes have to be read */
  static resume(saved: SavedHash): RunningHash | undefined {
    return saved.tag === tag ? new RunningHash(saved.state) : undefined;
  }

  update(bytes: Uint8Array): void {
    hasher.load(this.#state);
    this.#state = hasher.update(bytes).save();
  }

  save(): SavedHash {
    return { state: Buffer.from(this.#state), tag };
  }

  /** Lower-case hex. More bytes may follow. */
  digest(): string {
    hasher.load(this.#state);
    return hasher.digest('hex');
  }
}
