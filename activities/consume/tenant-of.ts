import type { Environment } from '../../workflows/operation/key.ts';
import type { Tenancy } from './define-consumer.ts';
import { isSoundName } from './sound-name.ts';

/** Whose a message is. @returns undefined where its subject does not say so */
export function tenantOf(
  tenancy: Tenancy,
  subject: string,
): { readonly tenant: string; readonly environment: Environment } | undefined {
  if (tenancy !== 'subject') return tenancy;
  const [, encoded = '', environment] = subject.split('.');
  const tenant = decoded(encoded);
  if (tenant === undefined || (environment !== 'live' && environment !== 'test')) return undefined;
  return { tenant, environment };
}

/** Dots, spaces and wildcards of a name are percent-encoded, since a subject gives them a meaning. */
function decoded(token: string): string | undefined {
  try {
    const name = decodeURIComponent(token);
    return isSoundName(name) ? name : undefined;
  } catch {
    return undefined;
  }
}
