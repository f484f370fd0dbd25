import { Resolver } from 'node:dns/promises';
import { seconds } from '../../workflows/operation/duration.ts';
import { NameUnanswered } from './name-unanswered.ts';

/** A name server answers in milliseconds; a packet may get lost on the way. */
const resolveTimeout = seconds(2);
const resolveTries = 2;

/** Answers by which a name has no address: there is no such name, it has no record of this family, or it can be none. */
const absent: ReadonlySet<unknown> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME']);

/**
 * The addresses of a name by DNS alone: what the machine's own files call a name is none of the Internet's. It needs no thread, of
 * which Node has four: a name whose server hangs does not keep other names waiting.
 * @param resolver a test passes its own
 * @returns none where the name has none
 * @throws NameUnanswered where it may have some
 */
export async function resolveByDns(
  name: string,
  resolver = new Resolver({ timeout: resolveTimeout, tries: resolveTries }),
): Promise<readonly string[]> {
  // A name often has addresses of one family alone.
  const asked = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const found = asked.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
  const silent = asked.find((one) => one.status === 'rejected' && !absent.has((one.reason as { code?: unknown }).code));
  if (found.length === 0 && silent?.status === 'rejected')
    throw new NameUnanswered(
      `The name server gave no answer (${(silent.reason as { code?: string }).code ?? 'no reason given'}).`,
      {
        cause: silent.reason,
      },
    );
  return found;
}
