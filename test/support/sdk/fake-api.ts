import type { VirtualClock } from './virtual-clock.ts';

/**
 * What goes wrong with one request. `before`: it never arrives. `after`: its answer is lost, the effect has happened. `cut`: the
 * same, in the middle of the answer. `silent`: the same, and the connection stays open. `late`: it arrives 5 s after the caller lost the connection. `proxy`: a page of a
 * proxy's instead of the answer. `500`, `busy`, `away`: answers of ours, without an effect; they ask for no pause, for 1 s and for 10 s. `401`: the token has expired.
 */
export const sendFaults = ['before', 'after', 'cut', 'silent', 'late', 'proxy', '500', 'busy', 'away', '401'] as const;
type SendFault = (typeof sendFaults)[number];
export const lookFaults = ['lost', 'turnedAway', 'forbidden', 'expired', 'gone'] as const;
type LookFault = (typeof lookFaults)[number];

type Operation = {
  readonly id: string;
  readonly key: string;
  readonly print: string;
  readonly begun: number;
  readonly input: Input;
};
type Input = { readonly card?: string; readonly takes?: number; readonly thing?: string };

const problems = {
  internal: { status: 500, retryable: true, sameKeySafe: true, action: 'wait', retryAfter: 0 },
  overloaded: { status: 503, retryable: true, sameKeySafe: true, action: 'wait', retryAfter: 1 },
  'ledger-unavailable': { status: 503, retryable: true, sameKeySafe: true, action: 'wait', retryAfter: 10 },
  'too-many-requests': { status: 429, retryable: true, sameKeySafe: true, action: 'wait', retryAfter: 1 },
  'in-progress': { status: 409, retryable: true, sameKeySafe: true, action: 'wait', retryAfter: 1 },
  'key-reused': { status: 422, retryable: false, sameKeySafe: false, action: 'fix_request' },
  'card-declined': { status: 402, retryable: false, sameKeySafe: false, action: 'change_payment_method' },
  'request-invalid': { status: 400, retryable: false, sameKeySafe: true, action: 'fix_request' },
  unauthenticated: { status: 401, retryable: false, sameKeySafe: true, action: 'fix_request' },
  forbidden: { status: 403, retryable: false, sameKeySafe: true, action: 'fix_request' },
  'not-found': { status: 404, retryable: false, sameKeySafe: true, action: 'fix_request' },
} as const;

/** The HTTP API in memory, as far as a client sees it: one operation for each key, and effects that are counted. */
export class FakeApi {
  /** The things that were bought. */
  readonly effects: string[] = [];
  readonly sends: { readonly key: string; readonly at: number }[] = [];
  looks = 0;
  readonly sendFaults: (SendFault | undefined)[] = [];
  readonly lookFaults: (LookFault | undefined)[] = [];
  readonly #operations = new Map<string, Operation>();
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  readonly fetch = async (address: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(address as string);
    const { signal } = init;
    if (signal?.aborted === true) throw lost();
    return init.method === 'POST' ? await this.#send(init) : await this.#look(url, init);
  };

  async #send({ headers, body, signal }: RequestInit): Promise<Response> {
    const key = new Headers(headers).get('idempotency-key') ?? '';
    const input = JSON.parse(body as string) as Input;
    this.sends.push({ key, at: this.#clock.time });
    const fault = this.sendFaults.shift();
    switch (fault) {
      case 'before':
        throw lost();
      case 'late':
        void this.#clock.sleep(5_000).then(() => this.#operation(key, input));
        throw lost();
      case '500':
        return problem('internal');
      case 'busy':
        return problem('overloaded');
      case 'away':
        return problem('ledger-unavailable');
      case '401':
        return problem('unauthenticated');
      case 'after':
      case 'cut':
      case 'proxy':
      case 'silent':
      case undefined:
        break;
    }
    const answer = await this.#answer(this.#operation(key, input), input, signal);
    if (fault === 'after') throw lost();
    if (fault === 'silent') return await hanging(signal);
    if (fault === 'proxy') return new Response('<h1>504 Gateway Time-out</h1>', { status: 504 });
    if (fault === 'cut') return new Response((await answer.text()).slice(0, 20), { status: answer.status });
    return answer;
  }

  #operation(key: string, input: Input): Operation {
    const known = this.#operations.get(key);
    if (known !== undefined) return known;
    const id = `op_${String(this.#operations.size).padStart(26, '0')}`;
    const operation = { id, key, input, print: JSON.stringify(input), begun: this.#clock.time };
    if (input.card === 'malformed') return operation;
    this.#operations.set(key, operation);
    if (input.card !== 'declined') this.effects.push(input.thing ?? 'thing');
    return operation;
  }

  async #answer(operation: Operation, input: Input, signal?: AbortSignal | null): Promise<Response> {
    if (input.card === 'malformed') return problem('request-invalid');
    if (operation.print !== JSON.stringify(input)) return problem('key-reused');
    if (this.#open(operation)) await this.#clock.sleep(Math.min(10_000, this.#left(operation)), signal ?? undefined);
    if (this.#open(operation))
      return problem('in-progress', { state: 'running', operationUrl: `/v1/operations/${operation.id}` });
    const { id, key } = operation;
    if (input.card === 'declined') return problem('card-declined', { operationUrl: `/v1/operations/${id}` });
    return Response.json({ id, state: 'succeeded', order: `order of ${key}` }, { status: 201 });
  }

  async #look(url: URL, { headers, signal }: RequestInit): Promise<Response> {
    // This server has no streams.
    if (url.pathname.endsWith('/events-token')) return problem('not-found');
    this.looks += 1;
    const fault = this.lookFaults.shift();
    if (fault === 'lost') throw lost();
    if (fault === 'turnedAway') return problem('too-many-requests');
    if (fault === 'forbidden') return problem('forbidden');
    if (fault === 'expired') return problem('unauthenticated');
    if (fault === 'gone') return problem('not-found');
    const key = url.searchParams.get('key');
    if (key !== null) {
      const found = this.#operations.get(key);
      return Response.json({ operations: found === undefined ? [] : [this.#view(found)] });
    }
    const found = [...this.#operations.values()].find(({ id }) => url.pathname.endsWith(id));
    if (found === undefined) return problem('not-found');
    const wait = Number(/wait=(\d+)/.exec(new Headers(headers).get('prefer') ?? '')?.[1] ?? 0);
    if (this.#open(found)) await this.#clock.sleep(Math.min(wait * 1_000, this.#left(found)), signal ?? undefined);
    return Response.json(this.#view(found));
  }

  #view(operation: Operation): object {
    const { id, key, input } = operation;
    const steps = ['reserve', 'capture'].map((name, index) => ({ name, state: index === 0 ? 'done' : 'sent' }));
    if (this.#open(operation)) return { id, state: 'running', steps };
    if (input.card === 'declined')
      return { id, state: 'refused', problem: { code: 'card-declined', ...problems['card-declined'] } };
    return { id, state: 'succeeded', result: { order: `order of ${key}` } };
  }

  #left({ begun, input }: Operation): number {
    return begun + (input.takes ?? 0) - this.#clock.time;
  }

  #open(operation: Operation): boolean {
    return this.#left(operation) > 0;
  }
}

function problem(code: keyof typeof problems, more: object = {}): Response {
  const row = problems[code];
  return Response.json(
    { code, title: code, detail: code, docUrl: '', requestId: '', ...row, ...more },
    { status: row.status },
  );
}

function lost(): TypeError {
  return new TypeError('fetch failed');
}

function hanging(signal?: AbortSignal | null): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted === true) reject(lost());
    signal?.addEventListener('abort', () => reject(signal.reason as Error));
  });
}
