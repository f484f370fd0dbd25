import { spoken } from '../../workflows/operation/duration.ts';
import { clockSkew } from '../../workflows/operation/retention.ts';
import type { Consumer } from './define-consumer.ts';

/**
 * An id has to be known for longer than the broker can deliver its message: past that, the effect would happen twice.
 * @param redeliversFor for how long it can. Milliseconds, or infinity
 * @returns what is wrong, in a sentence
 */
export function windowFault({ name, window, from }: Consumer, redeliversFor: number): string | undefined {
  if (window === 'forever' || window >= redeliversFor + clockSkew) return undefined;
  const broker =
    redeliversFor === Number.POSITIVE_INFINITY
      ? `Stream ${from.stream} keeps its messages for ever`
      : `Stream ${from.stream} can deliver a message for ${spoken(redeliversFor)}`;
  return (
    `${broker}, and consumer ${name} forgets ids after ${spoken(window)}: declare a longer \`window\`, or 'forever', or lower ` +
    `the stream's max_age.`
  );
}
