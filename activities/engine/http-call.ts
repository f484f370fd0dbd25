import type { z } from 'zod';
import type { FailureCode } from '../../workflows/operation/failures.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { Json } from './json.ts';

/**
 * What is sent. It stands in the ledger from the first try on, so it must hold no secret. Take the address from
 * settings. A flow that takes it from a caller must make sure that it leads nowhere inside the network.
 */
export type HttpRequest = {
  readonly url: string;
  /** POST unless said otherwise. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: Json;
};

/** Reads a refusal from the body of the answer; undefined if the body has another form. */
type ReadRefusal = (body: unknown) => Refusal | undefined;

/** The answers that one kind of call may get. */
export type HttpAnswers<Result> = {
  /** The outside system, as the subject of a sentence for people: "The ticket office". */
  readonly system: string;
  /** The body of a 2xx, which becomes the result. An empty body counts as null. */
  readonly answer: z.ZodType<Result>;
  /** By status. An answer whose body has another form is no refusal: it may come from a proxy. */
  readonly refuses?: Readonly<Record<number, ReadRefusal>>;
  /**
   * The statuses by which the system turns a call away before it does anything. By default 429, and 503 with
   * `Retry-After`: without that header it may come from a gateway whose back end has begun.
   */
  readonly throttles?: readonly number[];
  /** The header that carries the downstream key: `Idempotency-Key` unless said otherwise. */
  readonly keyHeader?: string;
  /** Headers that are sent with each call and not kept, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Longer answers are not read to their end. Bytes, after decompression; 1 MiB unless said otherwise. */
  readonly longestAnswer?: number;
};

/**
 * Makes a status mean a refusal, with a code of the failure table.
 * @param detail what the person is told, from a body of this form
 */
export function refusal<Body>(code: FailureCode, form: z.ZodType<Body>, detail: (body: Body) => string): ReadRefusal {
  return (body) => {
    const read = form.safeParse(body);
    return read.success ? { code, detail: detail(read.data) } : undefined;
  };
}
