import { z } from 'zod';

/** How calls of an outside system are kept within bounds. Each worker process counts for itself. */
export type Protection = {
  /** Calls that are under way at once. A further one is turned away. */
  readonly atOnce: number;
  /** The newest calls by which the breaker judges. It judges from half as many on. */
  readonly lastCalls: number;
  /** The breaker opens when more than this share of them had no clear outcome. Between 0 and 1. */
  readonly failedShare: number;
  /** How long an open breaker turns every call away. Then one call tries whether the system is back. Milliseconds. */
  readonly halfOpenAfter: number;
  /** The share of all calls that may be retries, over ten seconds. A retry is a send after the first. */
  readonly retryShare: number;
  /** Retries that a quiet system may have in ten seconds, whatever their share. */
  readonly retriesAtLeast: number;
  /**
   * How long a step for which a person waits is left alone after its three retries. Each further pause is twice as long, up to four
   * times this. Milliseconds.
   */
  readonly behindCaller: number;
};

/** What a system declares unless it knows better, each number with its reason. */
export const usualProtection: Protection = {
  // A worker runs 40 stories and 40 later tries at once. A system that hangs leaves eight of each to the others.
  atOnce: 32,
  // Ten calls are enough to tell an outage from a bad day, and an outage costs the system no more than these.
  lastCalls: 20,
  // While every other call still works, waiting costs more than asking again.
  failedShare: 0.5,
  // One call in five seconds is no load on any system, and a person waits that much longer at most.
  halfOpenAfter: 5_000,
  // With retries in each layer at their will, a system that comes back is met by several times its usual load.
  retryShare: 0.1,
  // One every two seconds: it harms nobody, and what became of a lost answer is found out even if nothing else happens.
  retriesAtLeast: 5,
  // The longest that a caller may prefer to wait. A system that has not recovered in seconds needs minutes.
  behindCaller: 30_000,
};

const share = z.number().gt(0).lt(1);
const numbers = z
  .strictObject({
    atOnce: z.int().min(1),
    lastCalls: z.int().min(2),
    failedShare: share,
    halfOpenAfter: z.int().min(1),
    retryShare: share,
    retriesAtLeast: z.int().min(1),
    behindCaller: z.int().min(1),
  })
  .partial();

/** The numbers that a deployment has chosen, by system. */
export type ChosenProtection = Readonly<Record<string, Partial<Protection>>>;

/**
 * @param text JSON, such as `{"payments": {"atOnce": 16}}`
 * @throws Error that names the system or the number at fault
 */
export function readProtection(text: string, systems: readonly string[]): ChosenProtection {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error('is no JSON: give {"payments": {"atOnce": 16}}');
  }
  const { data, error } = z.partialRecord(z.enum(systems), numbers).safeParse(json);
  if (error === undefined) return data as ChosenProtection;
  throw new Error(error.issues.map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`).join('; '));
}
