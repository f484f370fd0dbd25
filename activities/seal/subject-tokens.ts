import type { KeyRing } from './key-ring.ts';
import { SignedTokens } from './signed-tokens.ts';

/** Who a token speaks for. */
type Named = { readonly tenant: string; readonly environment: string; readonly subject: string };

const start = 'hpa_';

/** Whether a text looks like such a token. Static tokens must not. */
export function looksLikeSubjectToken(text: string): boolean {
  return text.startsWith(start);
}

/** Tokens for browsers without a user. Nothing is written for a browser that never comes back. */
export class SubjectTokens {
  readonly #tokens: SignedTokens;

  constructor(keys: KeyRing) {
    this.#tokens = new SignedTokens(keys, { start, purpose: 'subject tokens' });
  }

  /** @param until milliseconds since 1970 */
  issue({ tenant, environment, subject }: Named, until: number): string {
    return this.#tokens.issue([tenant, environment, subject], until);
  }

  /**
   * @param now milliseconds since 1970
   * @returns undefined where we have not issued it, or it has expired
   */
  read(token: string, now: number): Named | undefined {
    const [tenant, environment, subject] = this.#tokens.read(token, now) ?? [];
    if (tenant === undefined || environment === undefined || subject === undefined) return undefined;
    return { tenant, environment, subject };
  }
}
