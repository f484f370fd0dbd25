/** The little of autocannon that the bench uses; the package brings no types. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  export type Request = {
    readonly method: 'POST';
    readonly path: string;
    readonly headers: Record<string, string>;
    readonly body: string;
  };
  export type Options = {
    url: string;
    connections: number;
    /** Seconds. */
    duration: number;
    /** Called once for each connection. */
    setupClient(client: { setRequests(requests: readonly Request[]): void }): void;
  };
  export type Result = { errors: number; timeouts: number; non2xx: number };
  /** Emits `response` with (client, statusCode, bytes, milliseconds). */
  export type Run = EventEmitter & Promise<Result>;

  const autocannon: (options: Options) => Run;
  export default autocannon;
}
