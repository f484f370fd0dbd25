import { createLocalJWKSet, errors, type FlattenedJWSInput, type JSONWebKeySet, type JWSHeaderParameters } from 'jose';
import { HttpProblem } from '../problems/http-problem.ts';

/**
 * A key that the issuer has withdrawn is refused within `refresh`, at the cost of one small GET a minute for each
 * process. An issuer that cannot be reached is tried again after `retry`. Milliseconds.
 */
const usualPauses = { refresh: 60_000, retry: 5_000 };
/** Limit for connecting, headers and body together. Milliseconds. */
const patience = 3_000;
/** A set of 30 RSA keys with certificates takes about 100 kB. Bytes. */
const largestSet = 262_144;
/**
 * An unknown key id makes us read the keys at once. Anyone can make up key ids, so these extra reads are limited:
 * `most` in a row, and another one every `oneEach` milliseconds.
 */
const extraLooks = { most: 5, oneEach: 10_000 };

type KeySet = { readonly text: string; readonly find: ReturnType<typeof createLocalJWKSet> };

/** The issuer's public keys (RFC 7517), read from its URL. The last known keys stay in use while the URL cannot be read. */
export class SigningKeys {
  readonly #url: URL;
  readonly #log: (message: string, error: unknown) => void;
  readonly #pauses: typeof usualPauses;
  #set: KeySet | undefined;
  #away: { readonly since: Date } | undefined;
  #loading: Promise<void> | undefined;
  #looks = { left: extraLooks.most, at: performance.now() };
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(url: URL, log: (message: string, error: unknown) => void, pauses = usualPauses) {
    this.#url = url;
    this.#log = log;
    this.#pauses = pauses;
  }

  /** Reads the keys now, and again at intervals. Never fails: an issuer that cannot be reached is tried again. */
  async start(): Promise<void> {
    await this.#load().catch(() => undefined);
  }

  /** Changes whenever the keys do: a token that was verified with an earlier set has to be verified again. */
  get set(): object | undefined {
    return this.#set;
  }

  get awaySince(): Date | undefined {
    return this.#away?.since;
  }

  /**
   * @throws HttpProblem `issuer-unavailable` when the key is unknown and the issuer cannot be reached
   * @throws JWKSNoMatchingKey when the issuer has no such key
   */
  readonly find = async (header: JWSHeaderParameters, token: FlattenedJWSInput) => {
    if (this.#set !== undefined) {
      try {
        return await this.#set.find(header, token);
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        if (this.#away === undefined && !this.#mayLook()) throw error;
      }
    }
    if (this.#away !== undefined) throw unavailable();
    await this.#load();
    if (this.#set === undefined) throw unavailable();
    return await this.#set.find(header, token);
  };

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #mayLook(): boolean {
    const now = performance.now();
    const earned = Math.floor((now - this.#looks.at) / extraLooks.oneEach);
    if (earned > 0) this.#looks = { left: Math.min(extraLooks.most, this.#looks.left + earned), at: now };
    if (this.#looks.left === 0) return false;
    this.#looks.left -= 1;
    return true;
  }

  async #load(): Promise<void> {
    this.#loading ??= this.#read().finally(() => {
      this.#loading = undefined;
      clearTimeout(this.#timer);
      if (this.#closed) return;
      const pause = this.#away === undefined ? this.#pauses.refresh : this.#pauses.retry;
      this.#timer = setTimeout(() => void this.start(), pause).unref();
    });
    await this.#loading;
  }

  async #read(): Promise<void> {
    try {
      const text = await fetchText(this.#url);
      if (text !== this.#set?.text) this.#set = { text, find: createLocalJWKSet(JSON.parse(text) as JSONWebKeySet) };
      this.#away = undefined;
    } catch (error) {
      if (this.#away === undefined)
        this.#log('the keys of HAPAX_JWKS_URL cannot be read; the last known ones stay in use', error);
      this.#away ??= { since: new Date() };
      throw unavailable();
    }
  }
}

/** @throws unless this very URL answers 200, in time and with a body of sane size */
async function fetchText(url: URL): Promise<string> {
  const answer = await fetch(url, {
    redirect: 'error',
    signal: AbortSignal.timeout(patience),
    headers: { accept: 'application/jwk-set+json, application/json' },
  });
  if (answer.status !== 200 || answer.body === null) throw new Error(`It answers with status ${answer.status}`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body) {
    size += chunk.length;
    if (size > largestSet) throw new Error(`It answers with more than ${largestSet} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function unavailable(): HttpProblem {
  return new HttpProblem(
    'issuer-unavailable',
    'The token is signed with an unknown key, and the keys of its issuer cannot be read now: try again later.',
  );
}
