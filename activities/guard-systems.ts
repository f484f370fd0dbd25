import { SystemGuards, type GuardsWatch } from './engine/system-guards.ts';
import type { ChosenProtection } from './outside/protection.ts';
import { systems } from './outside/systems.ts';

/** Makes the guards of the outside systems that a worker process calls; one set for all its activities. */
export function guardSystems(watch: GuardsWatch, chosen: ChosenProtection): SystemGuards {
  return new SystemGuards(systems, watch, chosen);
}
