import { z } from 'zod';
import { Doubtful } from '../../../activities/stores/outcomes/doubtful.ts';
import { Throttled } from '../../../activities/stores/outcomes/throttled.ts';

/** The provider has refused a call before doing anything: the object is in another state, or the request is wrong. */
export class Unfit extends Error {
  readonly status: number;
  readonly declined: string | undefined;
  constructor(status: number, message: string, declined?: string) {
    super(message);
    this.status = status;
    this.declined = declined;
  }
}

const problem = z.object({ error: z.object({ message: z.string(), decline_code: z.string().optional() }) });

/** Speaks to the payment sandbox by plain HTTP, without a key of ours and without a package. */
export class KeylessCall {
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
  }

  async get<T>(path: string, answer: z.ZodType<T>, timeout: number): Promise<T> {
    return await this.#ask('GET', path, undefined, answer, timeout);
  }

  async post<T>(
    path: string,
    form: Readonly<Record<string, string>>,
    answer: z.ZodType<T>,
    timeout: number,
  ): Promise<T> {
    return await this.#ask('POST', path, new URLSearchParams(form), answer, timeout);
  }

  async #ask<T>(
    method: string,
    path: string,
    body: URLSearchParams | undefined,
    answer: z.ZodType<T>,
    timeout: number,
  ): Promise<T> {
    let status: number;
    let json: unknown;
    try {
      const response = await fetch(`${this.#address}${path}`, {
        method,
        headers: { authorization: 'Bearer sk_test_local' },
        signal: AbortSignal.timeout(timeout),
        ...(body === undefined ? {} : { body }),
      });
      status = response.status;
      json = await response.json();
    } catch (cause) {
      throw new Doubtful('The provider gave no answer.', { cause });
    }
    if (status === 429) throw new Throttled('The provider asks us to wait.', undefined);
    if (status === 409 || status >= 500) throw new Doubtful(`The provider answered ${status}.`);
    if (status >= 400) {
      const { success, data } = problem.safeParse(json);
      if (!success) throw new Doubtful(`The provider answered ${status}, and nobody can read it.`);
      throw new Unfit(status, data.error.message, status === 402 ? (data.error.decline_code ?? '') : undefined);
    }
    const { success, data } = answer.safeParse(json);
    if (!success) throw new Doubtful('The provider gave an answer that nobody can read.');
    return data;
  }
}
