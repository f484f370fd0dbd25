import type { Environment } from '../../../workflows/operation/key.ts';
import type { Role } from '../../../workflows/operation/role.ts';

/** Who a bearer token speaks for. */
export type Caller = {
  readonly tenant: string;
  readonly environment: Environment;
  readonly subject: string;
  readonly role: Role;
  /** A browser without a user: it begins only what a flow allows. */
  readonly anonymous?: true;
};

/** Tenants and subjects are parts of keys, workflow ids and object names. */
const name = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

export const callerNameRule = 'at most 63 letters, digits, - and _, beginning with a letter or a digit';

export function isCallerName(text: unknown): text is string {
  return typeof text === 'string' && name.test(text);
}

export function isEnvironment(text: unknown): text is Environment {
  return text === 'live' || text === 'test';
}
