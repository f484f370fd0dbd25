import autocannon from 'autocannon';
import type { HttpRequest } from '../stack/checkout-request.ts';
import { answerQuestions } from '../stack/conversation.ts';

export type Cannonade = {
  /** Asked in turn, each connection beginning at another one, so that no two ask for the same key at once. */
  readonly requests: readonly [HttpRequest, ...HttpRequest[]];
  readonly connections: number;
  readonly seconds: number;
};
export type Hits = { readonly perSecond: number; readonly latencies: readonly number[] };

/** autocannon in a process of its own, so that it shares no event loop with whom it shoots at. */
async function fire({ requests, connections, seconds }: Cannonade): Promise<Hits> {
  const latencies: number[] = [];
  const { url } = requests[0];
  const asked = requests.map(({ method, headers, body }) => ({ method, headers, body, path: new URL(url).pathname }));
  let started = 0;
  const run = autocannon({
    url,
    connections,
    duration: seconds,
    setupClient(client) {
      const from = Math.floor((started * asked.length) / connections);
      started += 1;
      client.setRequests([...asked.slice(from), ...asked.slice(0, from)]);
    },
  });
  const began = performance.now();
  let last = began;
  void run.on('response', (_client: unknown, _status: number, _bytes: number, took: number) => {
    latencies.push(took);
    last = performance.now();
  });
  const { errors, timeouts, non2xx } = await run;
  if (errors + timeouts + non2xx > 0)
    throw new Error(`${url}: ${errors} errors, ${timeouts} timeouts, ${non2xx} answers that are no success`);
  return { perSecond: (latencies.length * 1_000) / (last - began), latencies };
}

answerQuestions({ fire }, async () => undefined);
