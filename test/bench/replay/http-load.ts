import autocannon from 'autocannon';
import type { HttpRequest } from '../stack/checkout-request.ts';
import { answerQuestions } from '../stack/conversation.ts';

export type Cannonade = { readonly request: HttpRequest; readonly connections: number; readonly seconds: number };
export type Hits = { readonly perSecond: number; readonly latencies: readonly number[] };

/** autocannon in a process of its own, so that it shares no event loop with whom it shoots at. */
async function fire({ request, connections, seconds }: Cannonade): Promise<Hits> {
  const latencies: number[] = [];
  const run = autocannon({ ...request, connections, duration: seconds });
  const started = performance.now();
  let last = started;
  void run.on('response', (_client: unknown, _status: number, _bytes: number, took: number) => {
    latencies.push(took);
    last = performance.now();
  });
  const { errors, timeouts, non2xx } = await run;
  if (errors + timeouts + non2xx > 0)
    throw new Error(`${request.url}: ${errors} errors, ${timeouts} timeouts, ${non2xx} answers that are no success`);
  return { perSecond: (latencies.length * 1_000) / (last - started), latencies };
}

answerQuestions({ fire }, async () => undefined);
