import type { AnyFlow } from '../../workflows/operation/flow.ts';
import { type RetrySchedule, scheduleOf } from '../../workflows/operation/retry-schedule.ts';
import type { ChosenProtection, Protection } from '../outside/protection.ts';
import { type Guard, type GuardedCall, unguarded } from './guard.ts';
import { SystemGuard, type TurnedAwayBy } from './system-guard.ts';

/** The part of an outside system's declaration that its guard needs. */
type Guarded = { readonly called: string; readonly protection: Protection };

/** Hears what the guards do. @param system its name in the list of systems */
export type GuardsWatch = {
  readonly sent: (system: string, kind: GuardedCall['kind']) => void;
  readonly turnedAway: (system: string, by: TurnedAwayBy) => void;
  readonly opened: (system: string, isOpen: boolean) => void;
};

/** The guards of all outside systems in one process. All steps that call a system share its guard. */
export class SystemGuards {
  readonly #guards: ReadonlyMap<string, Guard>;
  readonly #behindCaller: ReadonlyMap<string, number>;

  constructor(systems: Readonly<Record<string, Guarded>>, watch?: GuardsWatch, chosen: ChosenProtection = {}) {
    const protections = Object.entries(systems).map(
      ([name, { called, protection }]) => [name, called, { ...protection, ...chosen[name] }] as const,
    );
    this.#behindCaller = new Map(protections.map(([name, , { behindCaller }]) => [name, behindCaller]));
    const guards = protections.map(([name, called, protection]): [string, Guard] => {
      const own = new SystemGuard(called, protection, {
        sent: (kind) => watch?.sent(name, kind),
        turnedAway: (by) => watch?.turnedAway(name, by),
        opened: (isOpen) => watch?.opened(name, isOpen),
      });
      return [name, own.guard];
    });
    this.#guards = new Map(guards);
  }

  /**
   * The guard of the system that a step declares to call.
   * @throws TypeError where there is no such system
   */
  of({ name, steps }: AnyFlow, step: string): Guard {
    const system = steps[step]?.calls;
    if (system === undefined) return unguarded;
    const guard = this.#guards.get(system);
    if (guard !== undefined) return guard;
    const known = [...this.#guards.keys()].join(', ') || 'none';
    throw new TypeError(
      `Step ${name}.${step} calls ${system}, which is no outside system (known: ${known}): add it to activities/outside/systems.ts.`,
    );
  }

  /** When a step is sent again; undefined for one that calls no outside system. */
  scheduleOf({ retries, steps }: AnyFlow, step: string): RetrySchedule | undefined {
    const behindCaller = this.#behindCaller.get(steps[step]?.calls ?? '');
    return behindCaller === undefined || retries === undefined ? undefined : scheduleOf(retries, behindCaller);
  }
}
