import type { Logger } from 'pino';
import { guardSystems } from '../activities/guard-systems.ts';
import type { ChosenProtection } from '../activities/outside/protection.ts';
import { systems } from '../activities/outside/systems.ts';
import { breakers, callsOutside, turnedAway } from './telemetry.ts';

/** The guards of the outside systems that steps call. */
export function systemGuards(chosen: ChosenProtection, log: Logger): ReturnType<typeof guardSystems> {
  return guardSystems(watchGuards(Object.keys(systems), log), chosen);
}

/** Counts what guards do. A log line tells when a breaker opens and when it closes. */
export function watchGuards(guarded: readonly string[], log: Logger): Parameters<typeof guardSystems>[0] {
  for (const system of guarded) breakers.set({ system }, 0);
  return {
    sent: (system, kind) => callsOutside.inc({ system, kind }),
    turnedAway: (system, by) => turnedAway.inc({ system, by }),
    opened(system, isOpen) {
      breakers.set({ system }, isOpen ? 1 : 0);
      if (isOpen) log.warn({ system }, 'An outside system gives no clear answers, and is left alone for a moment');
      else log.info({ system }, 'An outside system answers again');
    },
  };
}
