import { seconds } from '../workflows/operation/duration.ts';
import type { CourseEvent } from './course.ts';
import type { OperationView } from './operation-view.ts';
import { readProblem } from './problem.ts';
import type { Surroundings } from './surroundings.ts';

export type ApiOptions = {
  /** The address of the HTTP API, without a path. */
  readonly url: string;
  /** Headers of each request: the token. Asked anew each time, so that it may be renewed. */
  readonly headers: () => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
};

type Asked = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds. */
  readonly within: number;
};

/** An answer that was read to its end; undefined where none came. `retryAfter` in milliseconds. */
type Answer =
  | { readonly status: number; readonly ok: boolean; readonly body: unknown; readonly retryAfter: number }
  | undefined;

/** The server answers after 10 s at the latest, if need be with "in progress". Five more are the network's. Milliseconds. */
const longestSend = seconds(15);
/** A question without a wait is answered in milliseconds. */
const longestLook = seconds(8);

/** A field of the request that stands in the path, as `{name}`. */
const field = /\{(\w+)\}/g;

/** The HTTP API, each call as an event of the action's course. It never throws. */
export class Api {
  readonly #options: ApiOptions;
  readonly #surroundings: Pick<Surroundings, 'fetch' | 'now' | 'timeout'>;

  constructor(options: ApiOptions, surroundings: Pick<Surroundings, 'fetch' | 'now' | 'timeout'>) {
    this.#options = options;
    this.#surroundings = surroundings;
  }

  /** Sends the request of an action under its key. */
  async send(
    route: string,
    key: string,
    input: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<CourseEvent> {
    const inPath = new Set(Array.from(route.matchAll(field), ([, name]) => name));
    const path = route.replace(field, (_, name: string) => encodeURIComponent(String(input[name])));
    const body = Object.fromEntries(Object.entries(input).filter(([name]) => !inPath.has(name)));
    const answer = await this.#ask(
      {
        method: 'POST',
        path: `/v1/${path}`,
        within: longestSend,
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', 'idempotency-key': key },
      },
      signal,
    );
    if (answer === undefined) return { type: 'lost' };
    const problem = readProblem(answer.body);
    if (problem !== undefined) return { type: 'answered', problem };
    const view = answer.ok ? viewOf(answer.body) : undefined;
    return view === undefined ? { type: 'lost', retryAfter: answer.retryAfter } : { type: 'shown', view };
  }

  /** Asks what has become of a key. */
  async lookByKey(flow: string, key: string, signal: AbortSignal): Promise<CourseEvent> {
    const query = new URLSearchParams({ flow, key, limit: '1' }).toString();
    const answer = await this.#ask({ method: 'GET', path: `/v1/operations?${query}`, within: longestLook }, signal);
    if (answer?.ok !== true) return unseen(answer);
    const { operations } = (answer.body ?? {}) as { readonly operations?: readonly OperationView[] };
    if (operations === undefined) return { type: 'lost' };
    const [view] = operations;
    return view === undefined ? { type: 'missing' } : { type: 'shown', view };
  }

  /** Looks at an operation. @param wait for its end, in seconds */
  async look(operation: string, wait: number, signal: AbortSignal): Promise<CourseEvent> {
    const answer = await this.#ask(
      {
        method: 'GET',
        path: `/v1/operations/${operation}`,
        within: longestLook + seconds(wait),
        ...(wait === 0 ? {} : { headers: { prefer: `wait=${wait}` } }),
      },
      signal,
    );
    if (answer?.ok !== true) {
      const event = unseen(answer);
      return event.type === 'missing' ? { type: 'gone' } : event;
    }
    const view = answer.body as OperationView | undefined;
    return view?.id === operation ? { type: 'shown', view } : { type: 'lost' };
  }

  /**
   * Opens the stream of an operation's changes. A token of its own, for this operation alone, stands in the address.
   * @param last the newest event that was read
   * @returns undefined where there is none
   */
  async events(
    operation: string,
    last: string | undefined,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array> | undefined> {
    const path = `/v1/operations/${operation}/events`;
    const answer = await this.#ask({ method: 'GET', path: `${path}-token`, within: longestLook }, signal);
    const { token } = (answer?.ok === true ? answer.body : {}) as { readonly token?: string };
    if (token === undefined) return undefined;
    try {
      const response = await this.#surroundings.fetch(`${this.#base}${path}?token=${encodeURIComponent(token)}`, {
        headers: { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': last }) },
        cache: 'no-store',
        signal,
      });
      return response.ok ? (response.body ?? undefined) : undefined;
    } catch {
      return undefined;
    }
  }

  get #base(): string {
    return this.#options.url.replace(/\/$/, '');
  }

  async #ask({ within, path, headers, ...asked }: Asked, signal: AbortSignal): Promise<Answer> {
    const ends = AbortSignal.any([signal, this.#surroundings.timeout(within)]);
    try {
      const response = await this.#surroundings.fetch(`${this.#base}${path}`, {
        ...asked,
        headers: { ...(await beforeEnd(this.#options.headers(), ends)), ...headers },
        // An answer of the browser's cache would be an old one.
        cache: 'no-store',
        signal: ends,
      });
      const body = parsed(await response.text());
      return { status: response.status, ok: response.ok, body, retryAfter: this.#retryAfter(response, body) };
    } catch {
      return undefined;
    }
  }

  #retryAfter({ headers }: Response, body: unknown): number {
    const said = readProblem(body)?.retryAfter ?? headers.get('retry-after') ?? 0;
    const left = Number.isNaN(Number(said))
      ? Date.parse(String(said)) - this.#surroundings.now()
      : seconds(Number(said));
    return Number.isNaN(left) ? 0 : Math.max(0, left);
  }
}

/** A token that is being renewed may hang as well. @throws where the signal is aborted first */
async function beforeEnd<T>(made: T | Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (): void => reject(new Error('It took too long'));
  if (signal.aborted) end();
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([made, ended]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** A look that showed nothing. Whatever else was said, such as "too many requests", is not about the operation. */
function unseen(answer: Answer): CourseEvent {
  if (answer === undefined) return { type: 'lost' };
  if (answer.status === 401 || answer.status === 403) return { type: 'withheld', expired: answer.status === 401 };
  if (answer.status === 404 && readProblem(answer.body) !== undefined) return { type: 'missing' };
  return { type: 'lost', retryAfter: answer.retryAfter };
}

/** An answer to a request gives the result beside the id; a look gives it as `result`. */
function viewOf(body: unknown): OperationView | undefined {
  const { id, state, ...result } = (body ?? {}) as Partial<OperationView>;
  if (id === undefined || state === undefined) return undefined;
  return state === 'succeeded' ? { id, state, result } : (body as OperationView);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
