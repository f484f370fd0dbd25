import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { About } from '../stores/about.ts';
import { Doubtful } from '../stores/outcomes/doubtful.ts';
import { Refused } from '../stores/outcomes/refused.ts';
import { Unconfirmed } from '../stores/outcomes/unconfirmed.ts';
import type { Sending, Undoing } from '../stores/sending.ts';
import type { HttpAnswers, HttpRequest } from './http-call.ts';
import { exchange } from './http-exchange.ts';
import type { OutsideStep } from './outside-step.ts';

/**
 * A step at an outside system that speaks HTTP and JSON and honours a key. The key, time limits, `Retry-After` and the
 * size of an answer are handled here. The step is in doubt after no answer, a status that nobody declared (a 5xx, a
 * 409 of a key that is still at work), a redirect, or a body of another form. It is then sent again under the same
 * key.
 */
type HttpStep<Input, Result> = HttpAnswers<Result> & {
  readonly request: (input: Input, about: About) => HttpRequest;
  /**
   * How long the system remembers a key; for ever by default. After that no try is sent, since it might act twice: the
   * step stays in doubt until a person says what became of it. Milliseconds.
   */
  readonly keyWindow?: number;
  /**
   * Takes the step back. `result` is null if nobody knows what became of it. `about.stepKey` is the key that it was
   * sent with.
   */
  readonly undo?: Partial<HttpAnswers<unknown>> & {
    readonly request: (sent: HttpRequest, result: Result | null, about: Undoing) => HttpRequest;
  };
  /**
   * Checks what a person says has happened, with a GET without a key. The answer must equal what was said; a status
   * listed under `refuses` denies it.
   */
  readonly check?: Partial<HttpAnswers<Result>> & {
    readonly request: (said: Result, sent: HttpRequest, about: Sending) => HttpRequest;
  };
};

export function httpStep<Input, Result>(step: HttpStep<Input, Result>): OutsideStep<Input, HttpRequest, Result> {
  const { request, keyWindow = Number.POSITIVE_INFINITY, undo, check, ...answers } = step;
  const made: OutsideStep<Input, HttpRequest, Result> = {
    request: (input, about) => webRequest(request(input, about)),
    async send(asked, sending) {
      if (sending.age > keyWindow)
        throw new Doubtful(`${answers.system} may have forgotten the key of this step: it is not sent again.`);
      return await exchange(asked, answers, sending, sending.key);
    },
  };
  return {
    ...made,
    ...(undo === undefined ? {} : { undo: undoing(answers, undo) }),
    ...(check === undefined ? {} : { check: checking(answers, check) }),
  };
}

function undoing<Result>(
  answers: HttpAnswers<Result>,
  { request, ...own }: NonNullable<HttpStep<never, Result>['undo']>,
): NonNullable<OutsideStep<never, HttpRequest, Result>['undo']> {
  // A refusal of the step means nothing for its undo.
  const theirs: HttpAnswers<unknown> = { ...answers, answer: z.unknown(), refuses: {}, ...own };
  return async (sent, result, about) => {
    await exchange(webRequest(request(sent, result, about)), theirs, about, about.key);
  };
}

function checking<Result>(
  answers: HttpAnswers<Result>,
  { request, ...own }: NonNullable<HttpStep<never, Result>['check']>,
): NonNullable<OutsideStep<never, HttpRequest, Result>['check']> {
  const theirs: HttpAnswers<Result> = { ...answers, refuses: {}, ...own };
  return async (said, sent, about) => {
    const asked = webRequest({ method: 'GET', ...request(said, sent, about) });
    const found = await exchange(asked, theirs, about, undefined).catch((error: unknown) => {
      throw error instanceof Refused ? new Unconfirmed(error.refusal.detail) : error;
    });
    if (!isDeepStrictEqual(found, said)) throw new Unconfirmed(`${answers.system} knows of another result.`);
    return found;
  };
}

/** @throws TypeError before anything is sent */
function webRequest(asked: HttpRequest): HttpRequest {
  const { protocol, username, password } = new URL(asked.url);
  if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${protocol} is no protocol of an HTTP step`);
  // Credentials would stand in the ledger, and `fetch` refuses them.
  if (username !== '' || password !== '')
    throw new TypeError('The address of an HTTP step holds credentials: use headers');
  return asked;
}
