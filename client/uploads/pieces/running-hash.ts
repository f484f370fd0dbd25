import type { SavedHash } from '../../../activities/stores/postgres/uploads/sessions/take-session.ts';
import { opensslSha256 } from './openssl-sha256.ts';
import type { Sha256 } from './sha256.ts';
import { wasmSha256 } from './wasm-sha256.ts';

/** The fastest first. A Node that was built without OpenSSL's symbols still has the other. */
const implementations = [opensslSha256(), wasmSha256].filter((one) => one !== undefined);
const [fastest = wasmSha256] = implementations;

/** A SHA-256 that can be put aside after any byte and taken up by another process. */
export class RunningHash {
  readonly #by: Sha256;
  #state: Uint8Array;

  private constructor(by: Sha256, state: Uint8Array) {
    this.#by = by;
    this.#state = Buffer.from(state);
  }

  static begin(): RunningHash {
    return new RunningHash(fastest, fastest.beginning);
  }

  /** @returns undefined when an implementation saved it that is not there: the bytes have to be read */
  static resume({ tag, state }: SavedHash): RunningHash | undefined {
    const by = implementations.find((one) => one.tag === tag);
    return by && new RunningHash(by, state);
  }

  update(bytes: Uint8Array): void {
    this.#state = this.#by.update(this.#state, bytes);
  }

  save(): SavedHash {
    return { state: Buffer.from(this.#state), tag: this.#by.tag };
  }

  /** Lower-case hex. More bytes may follow. */
  digest(): string {
    return this.#by.digest(this.#state);
  }
}
