import { randomBytes } from 'node:crypto';
import { hours } from '../../workflows/operation/duration.ts';
import { signupFlow } from '../../workflows/signup.flow.ts';
import type { Seals } from '../seal/seals.ts';
import type { SignupLink } from '../stores/postgres/accounts/link-values.ts';

/** A link that was not used within a day is asked for anew: old mails lie about for years. Milliseconds. */
const linkLives = hours(24);

/**
 * A new link to confirm an address: 256 random bits. The token itself is stored only sealed, in the mail that takes it away.
 * @param signup the operation that it confirms
 */
export function newSignupLink(seals: Seals, signup: string, tenant: string): SignupLink {
  const token = randomBytes(32).toString('base64url');
  const place = { tenant, flow: signupFlow.name, operation: signup, field: 'token' };
  return { token, sealed: seals.seal(token, place), lives: linkLives };
}
