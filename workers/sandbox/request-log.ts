/** One request to /v1, as it came and as it was answered. */
export interface Logged {
  at: string;
  method: string;
  path: string;
  key: string | null;
  operation: string | null;
  requestId: string;
  /** Null until the request is answered. It stays null when the connection was cut instead. */
  status: number | null;
  replayed: boolean;
  fault: string | null;
}

// Enough for a test run. A benchmark sends more, and the log must not grow with it.
const KEPT = 5_000;

// The prefix of the key that stripe-node makes up when the caller gives none.
const INVENTED = 'stripe-node-retry-';

/** Keeps the newest requests, and separately those without a key of the caller's own. */
export class RequestLog {
  readonly #requests: Logged[] = [];
  readonly #violations: Logged[] = [];

  /** @param knowsKeys false where the sandbox stands for a provider that has none */
  add(request: Logged, knowsKeys: boolean): void {
    keep(this.#requests, request);
    const keyless = request.key === null || request.key.startsWith(INVENTED);
    if (request.method === 'POST' && keyless && knowsKeys) keep(this.#violations, request);
  }

  requests(query: URLSearchParams): Logged[] {
    const key = query.get('key');
    const path = query.get('path');
    const operation = query.get('operation');
    return this.#requests.filter(
      (request) =>
        (key === null || request.key === key) &&
        (path === null || request.path === path) &&
        (operation === null || request.operation === operation),
    );
  }

  violations(): Pick<Logged, 'method' | 'path' | 'key' | 'requestId' | 'at'>[] {
    return this.#violations.map(({ method, path, key, requestId, at }) => ({ method, path, key, requestId, at }));
  }
}

function keep(list: Logged[], request: Logged): void {
  list.push(request);
  if (list.length > KEPT) list.shift();
}
