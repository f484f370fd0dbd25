import type { z } from 'zod';
import type { FailureCode } from '../../workflows/operation/failures.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { Json } from './json.ts';

/**
 * What is sent. It stands in the ledger from the first try on, so it holds no secret. The address comes from the flow's
 * settings; a flow that takes it from a caller has to see for itself that it leads to no place inside.
 */
export type HttpRequest = {
  readonly url: string;
  /** POST unless said otherwise. */
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly body?: Json;
};

/** How the outside says no: read from the body of its answer, or undefined where that body is of another form. */
type ReadRefusal = (body: unknown) => Refusal | undefined;

/** What one kind of call may be answered with. */
export type HttpAnswers<Result> = {
  /** The outside system, as the subject of a sentence for people: "The ticket office". */
  readonly system: string;
  /** What a 2xx carries, which becomes the result; an empty body counts as null. */
  readonly answer: z.ZodType<Result>;
  /** By status. An answer whose body is of another form than its refusal is no refusal: a proxy may have given it. */
  readonly refuses?: Readonly<Record<number, ReadRefusal>>;
  /**
   * The statuses by which the system turns a call away before it does anything. By default 429, and 503 where it carries
   * `Retry-After`: without one it may come from a gateway whose back end has begun.
   */
  readonly throttles?: readonly number[];
  /** Where the downstream key is sent: `Idempotency-Key` unless said otherwise. */
  readonly keyHeader?: string;
  /** Sent with each call and not kept, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Longer answers are not read to their end. Bytes, after decompression; 1 MiB unless said otherwise. */
  readonly longestAnswer?: number;
};

/**
 * A status by which the outside refuses, with a code of the failure table.
 * @param detail what the person is told, from a body of this form
 */
export function refusal<Body>(code: FailureCode, form: z.ZodType<Body>, detail: (body: Body) => string): ReadRefusal {
  return (body) => {
    const read = form.safeParse(body);
    return read.success ? { code, detail: detail(read.data) } : undefined;
  };
}
