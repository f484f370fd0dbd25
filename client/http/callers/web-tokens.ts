import { hash } from 'node:crypto';
import { errors, jwtVerify, type JWTPayload } from 'jose';
import { LRUCache } from 'lru-cache';
import { HttpProblem } from '../problems/http-problem.ts';
import type { Caller } from './caller.ts';
import { type ClaimMapping, callerOf } from './claim-mapping.ts';
import type { SigningKeys } from './signing-keys.ts';

/**
 * Asymmetric signatures only. With HMAC the verifier could forge tokens, and the public key could be used as the
 * secret.
 */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
/** How far the issuer's clock and ours may differ. Seconds. */
const skew = 60;
/** A JWT cannot be revoked, so a long-lived one is refused. Common issuers give at most a day by default. Seconds. */
const longestLife = 86_400;
/**
 * A token is sent many times. Verifying RS256 takes 150 µs of CPU time, and finding the token here takes 7 µs. Ten
 * thousand entries take a few megabytes.
 */
const most = 10_000;

type Verified = { readonly caller: Caller; readonly keys: object; readonly until: number };

export type WebTokenSettings = {
  readonly issuer: string;
  readonly audience: string;
  readonly claims: ClaimMapping;
};

/** Identifies callers by the JWTs of one issuer (RFC 7519; RFC 8725 for what is refused). */
export class WebTokens {
  readonly #settings: WebTokenSettings;
  readonly #keys: SigningKeys;
  readonly #log: (message: string, error: unknown) => void;
  /** Keyed by digest, so that no token is kept. */
  readonly #verified = new LRUCache<string, Verified>({ max: most });

  constructor(settings: WebTokenSettings, keys: SigningKeys, log: (message: string, error: unknown) => void) {
    this.#settings = settings;
    this.#keys = keys;
    this.#log = log;
  }

  /** @throws HttpProblem `issuer-unavailable` when the token's key is unknown and the issuer cannot be reached */
  identify(token: string): Caller | undefined | Promise<Caller | undefined> {
    const digest = hash('sha256', token, 'base64');
    const verified = this.#verified.get(digest);
    if (verified?.keys === this.#keys.set && verified !== undefined && now() < verified.until) return verified.caller;
    return this.#verify(token, digest);
  }

  async #verify(token: string, digest: string): Promise<Caller | undefined> {
    const before = this.#keys.set;
    const claims = await this.#claims(token);
    if (claims === undefined) return undefined;
    const caller = callerOf(this.#settings.claims, claims);
    if (typeof caller === 'string') {
      this.#log(`a valid token was refused: its claims give no usable ${caller} (see HAPAX_JWT_CLAIMS)`, undefined);
      return undefined;
    }
    const keys = this.#keys.set;
    // If the keys changed in the meantime, we cannot tell which set verified the token.
    if (keys !== undefined && keys === before)
      this.#verified.set(digest, { caller, keys, until: (claims.exp as number) + skew });
    return caller;
  }

  async #claims(token: string): Promise<JWTPayload | undefined> {
    const { issuer, audience } = this.#settings;
    const wanted = { algorithms, issuer, audience, clockTolerance: skew, requiredClaims: ['exp'] };
    try {
      const { payload } = await jwtVerify(token, this.#keys.find, wanted);
      const { exp = 0, iat = 0 } = payload;
      return exp <= now() + longestLife + skew && iat <= now() + skew ? payload : undefined;
    } catch (error) {
      if (error instanceof HttpProblem) throw error;
      // Not only the token's fault: for example an RSA key of less than 2048 bits.
      if (!(error instanceof errors.JOSEError)) this.#log('a token could not be verified', error);
      return undefined;
    }
  }
}

/** Seconds since 1970, as in claims. */
function now(): number {
  return Date.now() / 1_000;
}
