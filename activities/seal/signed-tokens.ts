import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from './key-ring.ts';

/** `{start}{what it says, as base64url of JSON}~{key id}~{HMAC-SHA256 in base64url}` */
const form = /^([a-z]{3}_[A-Za-z0-9_-]{1,400})~([a-z0-9-]{1,20})~([A-Za-z0-9_-]{43})$/;

type Kind = {
  /** Three letters and `_`, by which people, logs and scanners know such a token. */
  readonly start: string;
  /** No other kind has the keys of this purpose, so that a token of one kind is none of another. */
  readonly purpose: string;
};

/** Tokens of one kind. They are signed and not kept: each says by itself what it is for, and until when. */
export class SignedTokens {
  readonly #start: string;
  readonly #keys: ReturnType<KeyRing['derive']>;

  constructor(keys: KeyRing, { start, purpose }: Kind) {
    this.#start = start;
    this.#keys = keys.derive(purpose);
  }

  /** @param until milliseconds since 1970 */
  issue(says: readonly string[], until: number): string {
    const [key] = this.#keys;
    if (key === undefined) throw new TypeError('Tokens are signed with the seal keys, and there are none');
    const body = `${this.#start}${Buffer.from(JSON.stringify([...says, until])).toString('base64url')}`;
    return `${body}~${key.id}~${macOf(key.secret, body).toString('base64url')}`;
  }

  /**
   * @param now milliseconds since 1970
   * @returns what it says; undefined where we have not issued it, or it has expired
   */
  read(token: string, now: number): readonly string[] | undefined {
    const [, body = '', id, mac = ''] = form.exec(token) ?? [];
    const key = this.#keys.find((one) => one.id === id);
    if (key === undefined || !timingSafeEqual(macOf(key.secret, body), Buffer.from(mac, 'base64url'))) return undefined;
    const said = JSON.parse(Buffer.from(body.slice(this.#start.length), 'base64url').toString()) as unknown[];
    const until = said.pop() as number;
    return now < until ? (said as string[]) : undefined;
  }
}

function macOf(key: KeyObject, body: string): Buffer {
  return createHmac('sha256', key).update(body).digest();
}
