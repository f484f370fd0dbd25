import { Doubtful } from '../stores/outcomes/doubtful.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { Throttled } from '../stores/outcomes/throttled.ts';
import type { Sending } from '../stores/sending.ts';
import type { HttpAnswers, HttpRequest } from './http-call.ts';
import { retryAfter } from './retry-after.ts';

/** Bytes. */
const longestAnswer = 1024 * 1024;

/** Sent, and not answered in a way that proves anything. `status` is undefined where there was no answer. */
export class HttpDoubt extends Doubtful {
  readonly status: number | undefined;
  constructor(message: string, status: number | undefined, cause?: unknown) {
    super(message, { cause });
    this.status = status;
  }
}

/**
 * Makes one call within the time of its try and interprets the answer.
 * @param key sent along; undefined for a call that only looks
 * @throws Refused, Throttled; HttpDoubt for everything else that is not an answer of the declared form
 */
export async function exchange<Result>(
  asked: HttpRequest,
  answers: HttpAnswers<Result>,
  { timeout, signal }: Pick<Sending, 'timeout' | 'signal'>,
  key: string | undefined,
): Promise<Result> {
  const { system, throttles } = answers;
  const { response, text } = await answered(
    asked,
    answers,
    AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
    key,
  );
  const { status, headers } = response;
  const body = parsed(text);
  const no = answers.refuses?.[status]?.(body);
  if (no !== undefined) throw new Refused(no);
  const turnedAway = throttles?.includes(status) ?? (status === 429 || (status === 503 && headers.has('retry-after')));
  if (turnedAway) throw new Throttled(`${system} asks us to wait (status ${status}).`, retryAfter(headers, Date.now()));
  if (!response.ok) throw new HttpDoubt(`${system} answered ${status}.`, status);
  const read = answers.answer.safeParse(body);
  if (!read.success)
    throw new HttpDoubt(`${system} answered ${status} in a form that this step does not know.`, status, read.error);
  return read.data;
}

async function answered<Result>(
  { url, method = 'POST', body }: HttpRequest,
  { system, keyHeader = 'idempotency-key', headers, longestAnswer: longest = longestAnswer }: HttpAnswers<Result>,
  signal: AbortSignal,
  key: string | undefined,
): Promise<{ readonly response: Response; readonly text: string }> {
  let status: number | undefined;
  try {
    const response = await fetch(url, {
      method,
      headers: {
        accept: 'application/json',
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { [keyHeader]: key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // A redirect would send body, key and credentials to a place that nobody declared.
      redirect: 'manual',
      signal,
    });
    status = response.status;
    return { response, text: await textOf(response, longest) };
  } catch (error) {
    if (error instanceof TooLong) throw new HttpDoubt(`${system} answered with more than ${longest} bytes.`, status);
    const answer = status === undefined ? 'gave no answer' : `answered ${status} and did not finish`;
    throw new HttpDoubt(`${system} ${answer}.`, status, error);
  }
}

class TooLong extends Error {}

async function textOf(response: Response, longest: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop early cancels the body and ends the connection.
  for await (const piece of response.body ?? []) {
    length += piece.byteLength;
    if (length > longest) throw new TooLong();
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/**
 * @returns null for an empty body; undefined for a body that is not JSON, which fits only a schema that takes anything
 */
function parsed(text: string): unknown {
  if (text.trim() === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
