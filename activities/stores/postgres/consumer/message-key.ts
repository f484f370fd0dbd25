import type { Environment } from '../../../../workflows/operation/key.ts';
import type { Statement } from '../database.ts';

/** By what a message is claimed, besides the consumer's name. */
export type MessageKey = {
  readonly tenant: string;
  readonly environment: Environment;
  readonly source: string;
  readonly message: string;
};

/** The name of a message within its tenant, for a map. */
export function inTenant({ environment, source, message }: Omit<MessageKey, 'tenant'>): string {
  return JSON.stringify([environment, source, message]);
}

/** From here on, the transaction acts for this tenant: a batch may hold messages of several. */
export function actFor(tenant: string): Statement {
  return { name: 'act_for_tenant', text: `select set_config('hapax.tenant', $1, true)`, values: [tenant] };
}
