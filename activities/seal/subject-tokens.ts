import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { KeyRing } from './key-ring.ts';

/** Who a token speaks for. */
type Named = { readonly tenant: string; readonly environment: string; readonly subject: string };

/** `hpa_{who, as base64url of JSON}~{key id}~{HMAC-SHA256 in base64url}` */
const form = /^(hpa_[A-Za-z0-9_-]{1,400})~([a-z0-9-]{1,20})~([A-Za-z0-9_-]{43})$/;

/** Whether a text looks like such a token. Static tokens must not. */
export function looksLikeSubjectToken(text: string): boolean {
  return text.startsWith('hpa_');
}

/** Tokens for browsers without a user. They are signed and not kept: nothing is written for a browser that never comes back. */
export class SubjectTokens {
  readonly #keys: ReturnType<KeyRing['derive']>;

  constructor(keys: KeyRing) {
    this.#keys = keys.derive('subject tokens');
  }

  /** @param until milliseconds since 1970 */
  issue({ tenant, environment, subject }: Named, until: number): string {
    const [key] = this.#keys;
    if (key === undefined) throw new TypeError('Tokens are signed with the seal keys, and there are none');
    const body = `hpa_${Buffer.from(JSON.stringify([tenant, environment, subject, until])).toString('base64url')}`;
    return `${body}~${key.id}~${macOf(key.secret, body).toString('base64url')}`;
  }

  /**
   * @param now milliseconds since 1970
   * @returns undefined where we have not issued it, or it has expired
   */
  read(token: string, now: number): Named | undefined {
    const [, body = '', id, mac = ''] = form.exec(token) ?? [];
    const key = this.#keys.find((one) => one.id === id);
    if (key === undefined || !timingSafeEqual(macOf(key.secret, body), Buffer.from(mac, 'base64url'))) return undefined;
    const said = JSON.parse(Buffer.from(body.slice('hpa_'.length), 'base64url').toString()) as [...string[], number];
    const [tenant, environment, subject, until] = said as [string, string, string, number];
    return now < until ? { tenant, environment, subject } : undefined;
  }
}

function macOf(key: KeyObject, body: string): Buffer {
  return createHmac('sha256', key).update(body).digest();
}
