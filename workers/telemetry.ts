import { Counter, collectDefaultMetrics, Gauge, Registry } from '@prometheus-io/client';
import { integrityCause } from '../workflows/operation/integrity.ts';
import type { Refusal } from '../workflows/operation/outcome.ts';

/** The metrics of this process. Keys, ids and tenants are never labels: look for them in the ledger. */
export const registry = new Registry();

collectDefaultMetrics({ register: registry, prefix: 'hapax_' });

/** Requests for operations, by decision and by the layer that made it: the hits, misses and conflicts of each layer. */
export const requests = new Counter({
  name: 'hapax_requests_total',
  help: 'Requests for operations, by flow, decision (created, joined, replayed, refused, not-admitted, overloaded) and the layer that decided',
  labelNames: ['flow', 'decision', 'layer'],
  registers: [registry],
});

/** Problems that were answered, by their code. */
export const problems = new Counter({
  name: 'hapax_problems_total',
  help: 'Problems that this process has answered, by their code',
  labelNames: ['code'],
  registers: [registry],
});

/** Bytes that are not what they should be. Networks and stores that fail are not among them: see `hapax_upload_bodies_total`. */
const integrity = new Counter({
  name: 'hapax_integrity_failures_total',
  help: 'Bytes that were refused, by what was wrong: size, part-checksum, whole-hash, type, assembly, protocol or proxy',
  labelNames: ['cause'],
  registers: [registry],
});

export function countIntegrity(refusal: Refusal): void {
  const cause = integrityCause(refusal);
  if (cause !== undefined) integrity.inc({ cause });
}

/** Bodies of uploads, each an attempt to bring bytes. */
export const bodies = new Counter({
  name: 'hapax_upload_bodies_total',
  help: 'Bodies of uploads, by method, by how they ended (kept, cut, late, refused, failed) and by the kind of their client',
  labelNames: ['method', 'ended', 'browser', 'device', 'network'],
  registers: [registry],
});

/** Open operations, as upkeep last counted them. */
export const open = new Gauge({
  name: 'hapax_open_operations',
  help: 'Operations that have not settled, by flow and state',
  labelNames: ['flow', 'state'],
  registers: [registry],
});

/** Open operations that make no progress, as upkeep last counted them. */
export const troubled = new Gauge({
  name: 'hapax_troubled_operations',
  help: 'Operations that make no progress, by flow, step and whether a person is needed',
  labelNames: ['flow', 'step', 'needs_person'],
  registers: [registry],
});

/** Shows how many awaited round trips to PostgreSQL this process has made. */
export function countFlushes(read: () => number): void {
  new Gauge({
    name: 'hapax_postgres_flushes',
    help: 'Awaited round trips to PostgreSQL since the start',
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** Shows the figures by which this process admits new operations. */
export function showAdmission(
  read: () => { readonly inHand: number; readonly limit: number; readonly capacity: number },
): void {
  const gauges = {
    inHand: [
      'hapax_admission_in_hand',
      'Operations that workers have in hand or that wait for one, over all processes',
    ],
    limit: ['hapax_admission_limit', 'Operations that may be in hand before new ones are refused as overloaded'],
    capacity: ['hapax_admission_capacity', 'Operations that the workers finish in a second, as far as measured'],
  } as const;
  for (const [member, [name, help]] of Object.entries(gauges))
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read()[member as keyof typeof gauges]);
      },
    });
}

export async function metricsText(): Promise<string> {
  return await registry.metrics();
}
