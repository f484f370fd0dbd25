import type { KeyRing } from './key-ring.ts';
import { SignedTokens } from './signed-tokens.ts';

/** Whose stream of which operation a token opens. */
type Named = {
  readonly tenant: string;
  readonly environment: string;
  readonly subject: string;
  readonly role: string;
  /** Its id. */
  readonly operation: string;
};

/** Tokens that open the events of one operation to the caller they were issued to. They stand in URLs, so they do nothing else. */
export class EventsTokens {
  readonly #tokens: SignedTokens;

  constructor(keys: KeyRing) {
    this.#tokens = new SignedTokens(keys, { start: 'hpe_', purpose: 'events tokens' });
  }

  /** @param until milliseconds since 1970 */
  issue({ tenant, environment, subject, role, operation }: Named, until: number): string {
    return this.#tokens.issue([tenant, environment, subject, role, operation], until);
  }

  /**
   * @param now milliseconds since 1970
   * @returns undefined where we have not issued it, or it has expired
   */
  read(token: string, now: number): Named | undefined {
    const [tenant, environment, subject, role, operation] = this.#tokens.read(token, now) ?? [];
    if (tenant === undefined || environment === undefined || subject === undefined) return undefined;
    return role === undefined || operation === undefined
      ? undefined
      : { tenant, environment, subject, role, operation };
  }
}
