import { createHmac } from 'node:crypto';
import { FingerprintUnknown } from '../../workflows/operation/fingerprint.ts';
import { decrypt, encrypt } from './cipher.ts';
import { KeyRing } from './key-ring.ts';

/** Where a sealed value belongs. It opens nowhere else. */
export type SealedPlace = {
  readonly tenant: string;
  readonly flow: string;
  /** The id of the operation whose request holds it, wherever the sealed text was copied to. */
  readonly operation: string;
  readonly field: string;
};

/** A sealed value cannot be opened, or this process lacks the key. */
export class SealFault extends Error {
  override readonly name = 'SealFault';
}

/** `sealed:1:{key id}:{nonce, tag and ciphertext in base64url}` */
const form = /^sealed:1:([a-z0-9-]+):([A-Za-z0-9_-]+)$/;

/** Seals the sensitive fields of requests, and opens them where their values are needed. */
export class Seals {
  /** Seals and opens nothing. */
  static readonly none = new Seals(KeyRing.empty);

  readonly #seal: ReturnType<KeyRing['derive']>;
  readonly #fingerprint: ReturnType<KeyRing['derive']>;
  readonly #index: ReturnType<KeyRing['derive']>;

  constructor(keys: KeyRing) {
    this.#seal = keys.derive('sealed fields');
    this.#fingerprint = keys.derive('fingerprints');
    this.#index = keys.derive('blind indexes');
  }

  /** The one that seals is first. */
  get keyIds(): readonly string[] {
    return this.#fingerprint.map(({ id }) => id);
  }

  /** @returns text that only its place opens, whatever the value looks like: a caller may send text that only looks sealed */
  seal(value: unknown, place: SealedPlace): string {
    const [key] = this.#seal;
    if (key === undefined) throw noKeys(`seal the field ${place.field} of ${place.operation}`);
    const sealed = encrypt(key.secret, Buffer.from(JSON.stringify(value)), aboutOf(place));
    return `sealed:1:${key.id}:${sealed.toString('base64url')}`;
  }

  /** @returns what a row holds as it is if it is sealed, and sealed if the build before sealed fields has stored it */
  resealed(held: unknown, place: SealedPlace): string {
    return isSealed(held) ? held : this.seal(held, place);
  }

  /**
   * @returns the value; a value that the build before sealed fields has stored is returned as it is
   * @throws SealFault when it was changed, belongs elsewhere, or was sealed with a key that this process does not have
   */
  open(sealed: unknown, place: SealedPlace): unknown {
    const [, id, bytes] = (typeof sealed === 'string' && form.exec(sealed)) || [];
    if (id === undefined || bytes === undefined) return sealed;
    const key = this.#seal.find((one) => one.id === id);
    if (key === undefined)
      throw new SealFault(
        `The field ${place.field} of ${place.operation} was sealed with key ${id}, which this process does not have: add the key to HAPAX_SEAL_KEYS.`,
      );
    try {
      return JSON.parse(decrypt(key.secret, Buffer.from(bytes, 'base64url'), aboutOf(place)).toString());
    } catch {
      throw new SealFault(
        `The field ${place.field} of ${place.operation} cannot be opened: it was changed, it belongs to another operation, or key ${id} is another one here.`,
      );
    }
  }

  /**
   * An HMAC of an intent that holds sensitive values, so that nobody can guess them from a stored fingerprint.
   * @param id of the key; by default the one that seals
   * @returns `{key id}:{hex}`
   * @throws FingerprintUnknown when this process does not have the key
   */
  readonly mac = (text: string, id?: string): string => {
    const key = id === undefined ? this.#fingerprint[0] : this.#fingerprint.find((one) => one.id === id);
    if (key !== undefined) return hmac(key, text);
    if (id === undefined) throw noKeys('take the fingerprint of a request with sealed fields');
    throw new FingerprintUnknown(`A fingerprint was taken with seal key ${id}, which this process does not have`);
  };

  /**
   * What a column holds where equal values must be found without being readable (a blind index).
   * @returns one for each key; the first is the one to store, and the others are those of rows written before a rotation
   */
  indexes(value: string, place: Omit<SealedPlace, 'operation'>): readonly string[] {
    const text = JSON.stringify([place.tenant, place.flow, place.field, value]);
    return this.#index.map((key) => hmac(key, text));
  }
}

function hmac({ id, secret }: ReturnType<KeyRing['derive']>[number], text: string): string {
  return `${id}:${createHmac('sha256', secret).update(text).digest('hex')}`;
}

function isSealed(value: unknown): value is string {
  return typeof value === 'string' && form.test(value);
}

/** A JSON array is unambiguous, whatever its strings contain. */
function aboutOf({ tenant, flow, operation, field }: SealedPlace): Buffer {
  return Buffer.from(JSON.stringify([tenant, flow, operation, field]));
}

function noKeys(what: string): SealFault {
  return new SealFault(`This process was to ${what}, and has no keys: give it HAPAX_SEAL_KEYS.`);
}
