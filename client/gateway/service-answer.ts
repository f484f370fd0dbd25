import type { AnyFlow, ResultOf } from '../../workflows/operation/flow.ts';
import { type Problem, resultOf } from '../../workflows/operation/answer.ts';
import type { OpenState, SettledState } from '../../workflows/operation/state.ts';
import type { Refusal } from '../../workflows/operation/outcome.ts';
import type { Trouble } from '../../workflows/operation/trouble.ts';
import type { How, Reply } from './reply.ts';

/** The answer that a backend service gets. */
export type ServiceAnswer<F extends AnyFlow> =
  | { readonly id: string; readonly state: 'succeeded'; readonly how: How; readonly result: ResultOf<F> }
  | {
      readonly id: string;
      readonly state: Exclude<SettledState, 'succeeded'>;
      readonly how: How;
      readonly problem: Problem;
    }
  /** `trouble` says why the operation makes no progress; null while it does. */
  | { readonly id: string; readonly state: OpenState; readonly how: How; readonly trouble: Trouble | null };

/** The key was used for another request, or its answer has expired or was erased. No operation begins for it. */
export class KeyMisused extends Error {
  override readonly name = 'KeyMisused';
  readonly code: 'key-reused' | 'key-expired' | 'erased';
  constructor(code: KeyMisused['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** There is more work than can finish in time. Nothing was accepted: ask again with the same key. */
class Overloaded extends Error {
  override readonly name = 'Overloaded';
  readonly code = 'overloaded';
  /** Seconds until there should be room. */
  readonly retryAfter: number;
  constructor(retryAfter: number) {
    super(`There is more work than can be done in time: ask again with the same key in ${retryAfter} s.`);
    this.retryAfter = retryAfter;
  }
}

/** This deployment does not take such a request. Nothing was accepted. */
class NotTaken extends Error {
  override readonly name = 'NotTaken';
  readonly code: Refusal['code'];
  constructor({ code, detail }: Refusal) {
    super(detail);
    this.code = code;
  }
}

/** @throws KeyMisused, Overloaded, NotTaken */
export function told<F extends AnyFlow>(reply: Reply): ServiceAnswer<F> {
  switch (reply.kind) {
    case 'open':
      return { id: reply.id, state: reply.state, how: reply.how, trouble: reply.trouble };
    case 'settled': {
      const { id, how } = reply;
      const body = reply.answer.body.toString();
      if (reply.state === 'succeeded') return { id, how, state: 'succeeded', result: resultOf(body) as ResultOf<F> };
      return { id, how, state: reply.state, problem: JSON.parse(body) as Problem };
    }
    case 'key-reused':
      throw new KeyMisused('key-reused', 'This key was used for another request: make a new key for a new request.');
    case 'not-taken':
      throw new NotTaken(reply.refusal);
    case 'not-admitted':
    case 'asked-too-often':
      throw new Error('Only the HTTP API limits how many operations a caller may begin, and how often it may ask');
    case 'overloaded':
      throw new Overloaded(reply.retryAfter);
    case 'key-expired':
      throw new KeyMisused('key-expired', `The answer of ${reply.id} has expired: look the resource up instead.`);
    case 'erased':
      throw new KeyMisused('erased', `The data of ${reply.id} were erased: make a new key for a new request.`);
  }
}
