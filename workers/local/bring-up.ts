import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { workflowBundle } from '../bundle.ts';
import { given } from '../config.ts';
import { migrate } from '../migrate.ts';
import { tenantsOf } from '../tokens.ts';
import { sandboxEvents } from './sandbox-events.ts';
import { keptSealKeys } from '../kept-seal-keys.ts';
import { startProcesses } from './processes.ts';
import { provideDatabase } from './provide-database.ts';
import { provideMail } from './provide-mail.ts';
import { provideNats } from './provide-nats.ts';
import { type Outside, provideOutside } from './provide-outside.ts';
import { provideRedis } from './provide-redis.ts';
import { provideS3 } from './provide-s3.ts';
import { provideTemporal } from './provide-temporal.ts';
import { checkRequirements } from './requirements.ts';
import type { Context } from './stack-context.ts';

/** Two tenants, so that one can see that they do not see each other, and two people. Worth nothing outside this machine. */
const localTokens = [
  'local-alpha=alpha:test:default',
  'local-beta=beta:test:default',
  'local-viewer=alpha:test:support:viewer',
  'local-operator=alpha:test:operator:operator',
].join(',');

type LocalStack = {
  /** Address of the HTTP door. */
  http: string;
  token: string;
  /** How the token is shown to people. */
  shownToken: string;
  uiUrl: string | undefined;
  /** Where effects can be counted, for each outside system that is a fake. */
  fakes: Outside['fakes'];
  /** Everything one can look at, by name. */
  addresses: Record<string, string>;
};

/**
 * Brings everything up: the services side by side, then our own processes.
 * @throws with the part that did not start and the variable that mends it
 */
export async function bringUp(context: Context): Promise<LocalStack> {
  await checkRequirements(context.settings);
  const ownTokens = given('HAPAX_TOKENS');
  const tokens = ownTokens ?? localTokens;
  const seedTenants = tenantsOf(tokens);
  const ready = <T>(what: string, starting: Promise<T>) =>
    starting.then((value) => {
      context.say(`${what} is ready`);
      return value;
    });
  const [database, temporal, s3, redis, nats, outside, mail, bundle] = await Promise.all([
    ready('PostgreSQL', provideDatabase(context)).then(async (service) => {
      await ready('The ledger', migrate(service.url, logTo(context, 'migrate'), { seedTenants }));
      return service;
    }),
    ready('Temporal', provideTemporal(context)),
    ready('S3', provideS3(context)),
    provideRedis(context),
    provideNats(context),
    provideOutside(context),
    provideMail(context),
    // Once for all workers; each would take 2.6 s for it at each of its starts.
    given('HAPAX_WORKFLOW_BUNDLE') ?? workflowBundle(join(context.directory, 'cache', 'workflows')),
  ]);
  const events = sandboxEvents(outside.fakes.payments, tokens);
  const processes = await startProcesses(context, {
    HAPAX_TOKENS: tokens,
    HAPAX_API_KEYS: given('HAPAX_API_KEYS') ?? 'on',
    // Who tries webhooks out has a receiver on this machine.
    HAPAX_WEBHOOK_LOOPBACK: given('HAPAX_WEBHOOK_LOOPBACK') ?? 'on',
    HAPAX_WORKFLOW_BUNDLE: bundle,
    ...(given('HAPAX_SEAL_KEYS') === undefined
      ? { HAPAX_SEAL_KEYS_FILE: await keptSealKeys(join(context.directory, 'seal-keys')) }
      : {}),
    ...database.environment,
    ...temporal.environment,
    ...s3.environment,
    ...redis.environment,
    ...nats.environment,
    STRIPE_RETURN_URL: given('STRIPE_RETURN_URL') ?? `http://127.0.0.1:${context.settings.HAPAX_HTTP_PORT}/returned`,
    ...outside.environment,
    ...mail.environment,
    ...events.environment,
  });
  await events.begin(processes.http);
  const addresses = {
    HTTP: processes.http,
    'API documentation': `${processes.http}/docs`,
    ...temporal.addresses,
    ...s3.addresses,
    ...redis.addresses,
    ...nats.addresses,
    ...outside.addresses,
    ...mail.addresses,
    ...database.addresses,
    ...processes.addresses,
  };
  await context.stack.ready(addresses, {
    ...{
      ...database.environment,
      ...temporal.environment,
      ...s3.environment,
      ...redis.environment,
      ...nats.environment,
    },
    ...outside.environment,
  });
  const [firstEntry = ''] = tokens.split(',');
  const token = firstEntry.slice(0, firstEntry.lastIndexOf('='));
  return {
    http: processes.http,
    token,
    shownToken: ownTokens ? 'one of HAPAX_TOKENS' : token, // a person's own secret is not printed
    uiUrl: temporal.uiUrl,
    fakes: outside.fakes,
    addresses,
  };
}

/** Migrations tell a lot, all of it of use only when one fails. */
function logTo(context: Context, name: string): (line: string) => void {
  const logs = join(context.directory, 'logs');
  mkdirSync(logs, { recursive: true });
  return (line) => appendFileSync(join(logs, `${name}.log`), `${line}\n`);
}
