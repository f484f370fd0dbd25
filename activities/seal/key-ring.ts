import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';

type Key = { readonly id: string; readonly secret: Buffer };

/** A key that serves one purpose only. As an object it is prepared once: an HMAC takes 8 µs with it, and 40 µs with its bytes. */
type DerivedKey = { readonly id: string; readonly secret: KeyObject };

/** AES-256 takes 32 bytes, and so does HMAC-SHA256. */
const keyLength = 32;
/** An id stands in clear text before everything that its key has sealed. */
const soundId = /^[a-z0-9][a-z0-9-]{0,19}$/;

const howToMake = 'make one with: echo "k1:$(openssl rand -base64 32)"';

/** The list of keys is not usable. The message tells no key. */
export class KeyRingFault extends Error {
  override readonly name = 'KeyRingFault';
}

/**
 * Secret keys by their ids. The first one seals and all open, so that keys can be rotated. Nothing is sealed with the keys
 * themselves: each purpose derives its own from them.
 */
export class KeyRing {
  /** No keys, for a process that neither seals nor opens anything. */
  static readonly empty = new KeyRing([]);

  readonly #keys: readonly Key[];

  private constructor(keys: readonly Key[]) {
    this.#keys = keys;
  }

  /**
   * @param text `id:key` entries, separated by commas or white space; a key is 32 random bytes in base64
   * @throws KeyRingFault
   */
  static read(text: string): KeyRing {
    const keys = text
      .split(/[\s,]+/)
      .filter((entry) => entry !== '')
      .map((entry, index): Key => {
        const [id = '', ...rest] = entry.split(':');
        const secret = Buffer.from(rest.join(':'), 'base64');
        if (!soundId.test(id))
          throw new KeyRingFault(
            `entry ${index + 1} has no usable id: write id:key, with an id of 1 to 20 lower-case letters, digits and hyphens; ${howToMake}`,
          );
        if (secret.length !== keyLength)
          throw new KeyRingFault(`key ${id} is not ${keyLength} bytes in base64; ${howToMake}`);
        return { id, secret };
      });
    if (keys.length === 0) throw new KeyRingFault(`there is no key; ${howToMake}`);
    const twice = keys.find(({ id }, index) => keys.findIndex((other) => other.id === id) < index);
    if (twice !== undefined) throw new KeyRingFault(`two keys have the id ${twice.id}: give each its own`);
    return new KeyRing(keys);
  }

  /** @returns the keys of one purpose, in the order of the list */
  derive(purpose: string): readonly DerivedKey[] {
    return this.#keys.map(({ id, secret }) => ({
      id,
      secret: createSecretKey(Buffer.from(hkdfSync('sha256', secret, '', `hapax ${purpose}`, keyLength))),
    }));
  }
}
