import { given, type Setting } from '../config.ts';
import { requireFreePort } from './free-port.ts';
import type { Context } from './stack-context.ts';

/** Which variable brings a part of one's own, and which ports the embedded part would take. */
const parts: { name: string; replacedBy: Setting[]; ports: PortSetting[] }[] = [
  { name: 'PostgreSQL', replacedBy: ['DATABASE_URL'], ports: ['HAPAX_POSTGRES_PORT'] },
  { name: 'Temporal', replacedBy: ['TEMPORAL_ADDRESS'], ports: ['HAPAX_TEMPORAL_PORT', 'HAPAX_TEMPORAL_UI_PORT'] },
  { name: 'the S3 server', replacedBy: ['S3_ENDPOINT'], ports: ['HAPAX_S3_PORT'] },
  { name: 'the payment sandbox', replacedBy: ['STRIPE_API_BASE', 'STRIPE_SECRET_KEY'], ports: ['HAPAX_SANDBOX_PORT'] },
  { name: 'the HTTP door', replacedBy: [], ports: ['HAPAX_HTTP_PORT'] },
];

type PortSetting = Extract<keyof Context['settings'], `HAPAX_${string}_PORT`>;

/**
 * Looks at every port and every address before anything starts.
 * @throws naming all that is wrong at once, each with the variable that mends it
 */
export async function checkRequirements(settings: Context['settings']): Promise<void> {
  const wanted = parts
    .filter((part) => !part.replacedBy.some(given))
    .flatMap((part) => part.ports.map((variable) => ({ name: part.name, variable, port: settings[variable] })));
  const checks = await Promise.allSettled([
    ...wanted.map(({ port, name, variable }) => requireFreePort(port, name, variable)),
    requireAll('S3_ENDPOINT', ['S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY']),
  ]);
  const faults = checks.filter((check) => check.status === 'rejected').map(({ reason }) => (reason as Error).message);
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

async function requireAll(cause: Setting, needed: Setting[]): Promise<void> {
  const missing = given(cause) ? needed.filter((name) => !given(name)) : [];
  if (missing.length > 0) throw new Error(`${cause} is set, so ${missing.join(' and ')} must be set as well.`);
}
