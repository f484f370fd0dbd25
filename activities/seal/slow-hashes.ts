import pLimit from 'p-limit';

/** As `@node-rs/argon2` writes it: the PHC string, which names algorithm, parameters and salt. */
type Hash = (secret: string) => Promise<string>;

/**
 * OWASP's smallest parameters for argon2id: 19 MiB, two passes, one lane. On the two cores of a small machine one hash
 * takes some 20 to 40 ms.
 */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** A hash keeps one core busy. libuv has four threads for all of them, and files and names need some too. */
const atOnce = 2;
/** What waits takes about a second in all. Beyond that, people are better told to come back. */
const mostWaiting = 32;
/** Seconds after which a queue of that length has gone. */
const queueGone = 2;

/** More secrets wait for their hashes than can be hashed in time. */
export class HashesBusy extends Error {
  override readonly name = 'HashesBusy';
  /** Seconds. */
  readonly retryAfter = queueGone;
}

/** Hashes passwords slowly and a few at a time, so that a crowd of sign-ups leaves time for everything else. */
export class SlowHashes {
  readonly #hash: Hash;
  readonly #turn = pLimit(atOnce);

  constructor(hash: Hash = argon2id) {
    this.#hash = hash;
  }

  /**
   * A password that two keyboards compose differently is one password (NIST SP 800-63B): it is hashed in form NFKC.
   * @throws HashesBusy where too many wait; nothing was hashed
   */
  async hash(secret: string): Promise<string> {
    if (this.#turn.pendingCount >= mostWaiting) throw new HashesBusy();
    return await this.#turn(() => this.#hash(secret.normalize('NFKC')));
  }
}

/** Loaded with the first password: most processes never see one. */
async function argon2id(secret: string): Promise<string> {
  const { hash } = await import('@node-rs/argon2');
  // Its default algorithm is argon2id.
  return await hash(secret, parameters);
}
