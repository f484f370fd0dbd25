import { collectDefaultMetrics, Registry } from '@prometheus-io/client';

/** What this process counts. Keys, ids and tenants are never labels: they are searched for in the ledger. */
export const registry = new Registry();

collectDefaultMetrics({ register: registry, prefix: 'hapax_' });

export async function metricsText(): Promise<string> {
  return await registry.metrics();
}
