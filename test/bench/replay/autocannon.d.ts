/** The little of autocannon that the bench uses; the package brings no types. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  export type Options = {
    url: string;
    method: 'POST';
    headers: Record<string, string>;
    body: string;
    connections: number;
    /** Seconds. */
    duration: number;
  };
  export type Result = { errors: number; timeouts: number; non2xx: number };
  /** Emits `response` with (client, statusCode, bytes, milliseconds). */
  export type Run = EventEmitter & Promise<Result>;

  const autocannon: (options: Options) => Run;
  export default autocannon;
}
