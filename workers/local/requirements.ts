import { given, type Setting } from '../config.ts';
import { requireFreePort } from './free-port.ts';
import { portsToOpen } from './parts.ts';
import type { Context } from './stack-context.ts';

/**
 * Looks at every port and every address before anything starts.
 * @throws naming all that is wrong at once, each with the variable that mends it
 */
export async function checkRequirements(settings: Context['settings']): Promise<void> {
  const checks = await Promise.allSettled([
    ...portsToOpen().map(({ name, variable }) => requireFreePort(settings[variable], name, variable)),
    requireAll('S3_ENDPOINT', ['S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY']),
  ]);
  const faults = checks.filter((check) => check.status === 'rejected').map(({ reason }) => (reason as Error).message);
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

async function requireAll(cause: Setting, needed: Setting[]): Promise<void> {
  const missing = given(cause) ? needed.filter((name) => !given(name)) : [];
  if (missing.length > 0) throw new Error(`${cause} is set, so ${missing.join(' and ')} must be set as well.`);
}
