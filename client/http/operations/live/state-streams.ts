import type { Caller } from '../../callers/caller.ts';
import { HttpProblem } from '../../problems/http-problem.ts';
import { StateStream } from './state-stream.ts';

const usualLimits = {
  /** An open stream costs a socket, some tens of kilobytes and a look every 15 s, and all of them together one look a second. */
  process: 1_000,
  /**
   * A browser has one for each page. A backend that hands out tokens has all of its users' under one subject, and leaves room for
   * nine others like it.
   */
  caller: 100,
};

/** Streams end all the time: none is longer than some minutes. Seconds. */
const retryAfter = 5;

/** The event streams that are open in this process. */
export class StateStreams {
  readonly #limits: typeof usualLimits;
  readonly #open = new Set<StateStream>();
  readonly #ofCaller = new Map<string, number>();
  #stopped = false;

  constructor(limits: Partial<typeof usualLimits> = {}) {
    this.#limits = { ...usualLimits, ...limits };
  }

  /** How many are open. */
  get open(): number {
    return this.#open.size;
  }

  /**
   * Whether one more may be opened now.
   * @throws HttpProblem 429 where the caller has too many, 503 where all callers have
   */
  expectRoom(caller: Caller): void {
    const otherwise = 'or ask GET /v1/operations/{id} with Prefer: wait';
    if ((this.#ofCaller.get(nameOf(caller)) ?? 0) >= this.#limits.caller)
      throw new HttpProblem(
        'too-many-requests',
        `This caller has ${this.#limits.caller} streams open here, and may have no more: close one, ${otherwise}.`,
        { retryAfter },
      );
    if (this.#stopped || this.#open.size >= this.#limits.process)
      throw new HttpProblem(
        'overloaded',
        `This process has as many streams open as it can take: open it again after Retry-After, ${otherwise}.`,
        { retryAfter },
      );
  }

  /** Runs a stream to its end. Whether there is room was asked before. */
  async run(caller: Caller, parts: ConstructorParameters<typeof StateStream>[0]): Promise<void> {
    const stream = new StateStream(parts);
    const name = nameOf(caller);
    this.#open.add(stream);
    this.#ofCaller.set(name, (this.#ofCaller.get(name) ?? 0) + 1);
    try {
      await stream.run();
    } finally {
      this.#open.delete(stream);
      const left = (this.#ofCaller.get(name) ?? 1) - 1;
      if (left > 0) this.#ofCaller.set(name, left);
      else this.#ofCaller.delete(name);
    }
  }

  /** Ends them all: the process stops, and their readers come back to another one. */
  stop(): void {
    this.#stopped = true;
    for (const stream of this.#open) stream.end();
  }
}

function nameOf({ tenant, environment, subject }: Caller): string {
  return `${tenant}/${environment}/${subject}`;
}
