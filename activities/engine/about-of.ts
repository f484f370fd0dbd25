import type { Hold } from '../../workflows/operation/call.ts';
import type { About } from '../stores/about.ts';

export function aboutOf({ operation }: Hold): About {
  return { operation: operation.id, tenant: operation.tenant, environment: operation.environment };
}
