import { seconds } from '../workflows/operation/duration.ts';
import type { Api } from './api.ts';
import type { Source } from './follow.ts';
import type { OperationView } from './operation-view.ts';
import { serverEvents } from './server-events.ts';
import type { Surroundings } from './surroundings.ts';

/** Most operations end within it, and then need no stream. Seconds. */
const firstWait = 1;

/** The server sends a heartbeat each 15 s. Two that are missing mean a dead connection. Milliseconds. */
const longestSilence = seconds(35);

/** A token, and the first bytes of an answer. A proxy that keeps them back gives no stream. Milliseconds. */
const longestOpening = seconds(10);

/** Before a stream that has ended is opened again; drawn from × 0.5–1.5, so that readers do not come back together. Milliseconds. */
const betweenStreams = seconds(2);

/** Shows each change of an operation as it happens. Where there is no stream, `looks` takes over. */
export function live(
  api: Pick<Api, 'look' | 'events'>,
  { sleep, random }: Pick<Surroundings, 'sleep' | 'random'>,
  looks: Source,
): Source {
  return async function* changes(operation, signal) {
    yield await api.look(operation, firstWait, signal);
    let last: string | undefined;
    for (let shown = true; shown && !signal.aborted; ) {
      shown = false;
      const stopped = new AbortController();
      try {
        const open = async () => await api.events(operation, last, AbortSignal.any([signal, stopped.signal]));
        const reader = (await within(longestOpening, open, sleep, signal))?.getReader();
        if (reader === undefined) break;
        const next = async () => await within(longestSilence, async () => (await reader.read()).value, sleep, signal);
        for await (const { id, event, data } of serverEvents(next)) {
          const view = event === 'state' ? parsed(data) : undefined;
          if (view?.id !== operation) continue;
          shown = true;
          last = id ?? last;
          yield { type: 'shown', view };
        }
      } finally {
        // Also where nobody listens any more: the connection is closed.
        stopped.abort();
      }
      if (shown) await sleep(betweenStreams * (0.5 + random()), signal);
    }
    yield* looks(operation, signal);
  };
}

/** @returns undefined where it took too long */
async function within<T>(
  longest: number,
  ask: () => Promise<T>,
  sleep: Surroundings['sleep'],
  signal: AbortSignal,
): Promise<T | undefined> {
  const answered = new AbortController();
  try {
    return await Promise.race([
      ask(),
      sleep(longest, AbortSignal.any([signal, answered.signal])).then(() => undefined),
    ]);
  } finally {
    answered.abort();
  }
}

function parsed(data: string): OperationView | undefined {
  try {
    return JSON.parse(data) as OperationView;
  } catch {
    return undefined;
  }
}
