import { seconds } from '../workflows/operation/duration.ts';
import type { Api } from './api.ts';
import type { CourseEvent } from './course.ts';
import type { Surroundings } from './surroundings.ts';

/** Tells what becomes of an operation, until nobody listens or the signal is aborted. */
export type Source = (operation: string, signal: AbortSignal) => AsyncIterable<CourseEvent>;

/** How long the server holds a look while the operation goes on. The first are short, so that progress shows. Seconds. */
const waits = [1, 2, 4, 8] as const;
const longestWait = 10;

/** Between two looks. Milliseconds. */
const betweenLooks = 500;

/** After looks that were lost. They change nothing, so that they go on for as long as the page is open. Milliseconds. */
const lostLooks = { firstPause: seconds(1), growth: 2, longestPause: seconds(30) };

/** A person who waits wants to know before an hour is over, whatever the server asks for. Milliseconds. */
const longestAsked = seconds(60);

/** Looks again and again, with pauses drawn from × 0.5–1.5. */
export function polling(api: Pick<Api, 'look'>, { sleep, random }: Pick<Surroundings, 'sleep' | 'random'>): Source {
  return async function* looks(operation, signal) {
    let lost = 0;
    for (let count = 0; !signal.aborted; count += 1) {
      const event = await api.look(operation, waits[count] ?? longestWait, signal);
      if (signal.aborted) return;
      yield event;
      lost = event.type === 'lost' ? lost + 1 : 0;
      const pause = lost === 0 ? betweenLooks : pauseAfter(lost);
      const asked = event.type === 'lost' ? Math.min(event.retryAfter ?? 0, longestAsked) : 0;
      await sleep(Math.max(asked, pause * (0.5 + random())), signal);
    }
  };
}

function pauseAfter(lost: number): number {
  const { firstPause, growth, longestPause } = lostLooks;
  return Math.min(longestPause, firstPause * growth ** (lost - 1));
}
