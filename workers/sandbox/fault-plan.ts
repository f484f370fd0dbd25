import { type FaultRule, pathPattern } from './fault-rule.ts';

/** The parts of a request that a rule looks at. */
export interface Sighting {
  method: string;
  path: string;
  key: string | null;
  operation: string | null;
}

interface Planned {
  id: string;
  rule: FaultRule;
  seen: number;
  hits: number;
}

/** The planned faults, in order. A request gets the first rule that matches it and is due. */
export class FaultPlan {
  #planned: Planned[] = [];
  #added = 0;

  add(rules: readonly FaultRule[]): void {
    for (const rule of rules) {
      this.#added += 1;
      this.#planned.push({ id: `fault_${this.#added}`, rule, seen: 0, hits: 0 });
    }
  }

  clear(): void {
    this.#planned = [];
  }

  take(sighting: Sighting): FaultRule | undefined {
    for (const planned of this.#planned) {
      const { rule } = planned;
      if (planned.hits >= rule.times || !matches(rule, sighting)) continue;
      planned.seen += 1;
      if (planned.seen <= rule.after) continue;
      planned.hits += 1;
      return rule;
    }
    return undefined;
  }

  report() {
    return this.#planned.map(({ id, rule, seen, hits }) => ({ id, ...rule, seen, hits, remaining: rule.times - hits }));
  }
}

function matches({ match }: FaultRule, sighting: Sighting): boolean {
  const { method, path, key, operation } = sighting;
  return (
    (match.method === undefined || match.method.toUpperCase() === method) &&
    (match.path === undefined || pathPattern(match.path).test(path)) &&
    (match.key === undefined || (key?.startsWith(match.key) ?? false)) &&
    (match.operation === undefined || match.operation === operation || (key?.startsWith(match.operation) ?? false))
  );
}
