import type { Action as Advice } from '../workflows/operation/failures.ts';

/** An RFC 9457 problem of the HTTP API, as far as a client decides by it. */
export type Problem = {
  readonly code: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly retryable: boolean;
  readonly sameKeySafe: boolean;
  readonly action: Advice;
  /** Seconds. */
  readonly retryAfter?: number;
  readonly operationUrl?: string;
  readonly docUrl: string;
  readonly requestId: string;
  readonly [member: string]: unknown;
};

/** @returns undefined for anything else, such as the page of a proxy: that says nothing about the request */
export function readProblem(body: unknown): Problem | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { code, retryable, sameKeySafe, action, status } = body as Partial<Problem>;
  const isOurs =
    typeof code === 'string' &&
    typeof retryable === 'boolean' &&
    typeof sameKeySafe === 'boolean' &&
    typeof action === 'string' &&
    typeof status === 'number';
  return isOurs ? (body as Problem) : undefined;
}
