import { retryAfter } from '../../engine/retry-after.ts';
import { Doubtful } from '../../stores/outcomes/doubtful.ts';
import { Throttled } from '../../stores/outcomes/throttled.ts';
import type { Answered } from './post-once.ts';

/** The receiver is gone for good, and says so. */
export class EndpointGone extends Error {
  override readonly name = 'EndpointGone';
}

/**
 * Reads what a receiver has made of a webhook. Returns where it has taken it.
 * @throws EndpointGone, Throttled; Doubtful for everything else but a yes
 */
export function judgeAnswer({ status, headers }: Answered): void {
  if (status >= 200 && status < 300) return;
  if (status === 410) throw new EndpointGone('The receiver answered 410 (Gone).');
  if (status === 429 || (status === 503 && headers.has('retry-after')))
    throw new Throttled(`The receiver asks us to wait (status ${status}).`, retryAfter(headers, Date.now()));
  if (status >= 300 && status < 400)
    throw new Doubtful(
      `The receiver answered ${status}. Redirects are not followed: create an endpoint with the address that it leads to.`,
    );
  throw new Doubtful(`The receiver answered ${status}.`);
}
