import { keyInUse, keyUsedOtherwise, StripeError } from './stripe-error.ts';

/** A stored answer, which is replayed while the key's window is open. */
export interface StoredAnswer {
  status: number;
  body: string;
}

type Entry =
  | { state: 'executing'; path: string; fingerprint: string }
  | { state: 'stored'; path: string; fingerprint: string; at: number; requestId: string; answer: StoredAnswer };

type Claim = { kind: 'won' } | { kind: 'replay'; originalRequest: string; answer: StoredAnswer };

// Stripe, "Idempotent requests": keys are up to 255 characters.
const MAX_KEY_LENGTH = 255;

/** Stripe's idempotency keys: the first request with a key executes, the others get its answer. */
export class KeyStore {
  readonly #entries = new Map<string, Entry>();

  claim(key: string, path: string, fingerprint: string, now: number, windowMs: number): Claim {
    if (key.length > MAX_KEY_LENGTH) {
      throw new StripeError(400, {
        type: 'invalid_request_error',
        message: `Idempotency keys can be at most ${MAX_KEY_LENGTH} characters long; this one has ${key.length}.`,
      });
    }
    const entry = this.#entries.get(key);
    if (entry === undefined || expired(entry, now, windowMs)) {
      this.#entries.set(key, { state: 'executing', path, fingerprint });
      return { kind: 'won' };
    }
    if (entry.path !== path) {
      throw keyUsedOtherwise(
        key,
        `for the same endpoint they were first used for ('${entry.path}' rather than '${path}')`,
      );
    }
    if (entry.fingerprint !== fingerprint) {
      throw keyUsedOtherwise(key, 'with the same parameters they were first used with');
    }
    switch (entry.state) {
      case 'executing':
        throw keyInUse(key);
      case 'stored':
        return { kind: 'replay', originalRequest: entry.requestId, answer: entry.answer };
    }
  }

  store(key: string, path: string, fingerprint: string, at: number, requestId: string, answer: StoredAnswer): void {
    this.#entries.set(key, { state: 'stored', path, fingerprint, at, requestId, answer });
  }

  /** Releases the key when nothing was executed under it. */
  release(key: string): void {
    if (this.#entries.get(key)?.state === 'executing') this.#entries.delete(key);
  }
}

function expired(entry: Entry, now: number, windowMs: number): boolean {
  return entry.state === 'stored' && now - entry.at >= windowMs;
}
