import { z } from 'zod';
import type { FieldsOf, SettingFields, SettingsOf } from '../activities/outside/outside-system.ts';
import { readProtection } from '../activities/outside/protection.ts';
import { setting } from '../activities/outside/setting.ts';
import { systems } from '../activities/outside/systems.ts';
import { isRedisAddress, redisAddress } from '../activities/stores/redis/redis-address.ts';
import { EventSources } from '../client/events/event-sources.ts';
import { Destinations } from '../client/uploads/destinations.ts';
import { brokerFields } from './broker-settings.ts';
import { mailFields } from './mail-settings.ts';
import { sealFields } from './seal-fields.ts';
import { type Environment, SettingFault, settingValue, variablesOf } from './setting-value.ts';

/** The only reader of the environment. Every fault is named at once, with the variable that mends it. */

/** Whoever can change the answer of this URL on its way decides whom we let in. */
const isSafeUrl = (text: string) => {
  const { protocol, hostname } = URL.parse(text) ?? {};
  return protocol === 'https:' || (protocol === 'http:' && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(hostname ?? ''));
};
const levels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

const postgresAddress = 'address of PostgreSQL, such as postgres://user:password@127.0.0.1:5432/hapax';

/** What each part of the stack answers to. A part whose variable is set is used as it is and never started locally. */
const ownFields = {
  DATABASE_URL: setting.required(postgresAddress).regex(/^postgres(ql)?:\/\/[^/]/, `give the ${postgresAddress}`),
  /** Put into DATABASE_URL, encoded: a password of its own may hold any character, and may come from a file. */
  DATABASE_PASSWORD: setting.optional(),
  TEMPORAL_ADDRESS: setting.required('address of the Temporal server, such as 127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  S3_ENDPOINT: setting.required('address of the S3 server, such as http://127.0.0.1:7070'),
  /** What URLs are signed for: the host is part of a signature, and a browser may see another one than we do. */
  S3_PUBLIC_ENDPOINT: setting.optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_BUCKET: z.string().default('hapax'),
  S3_ACCESS_KEY_ID: setting.required('access key of the S3 server'),
  S3_SECRET_ACCESS_KEY: setting.required('secret key of the S3 server'),
  HAPAX_HTTP_HOST: z.string().default('127.0.0.1'),
  HAPAX_HTTP_PORT: setting.port(8080),
  /** The door's address as callers see it, where a proxy stands in front. Links in mails begin with it. */
  HAPAX_PUBLIC_URL: setting.optional(),
  /** Where each worker process answers /healthz, /readyz and /metrics; a container's network asks from outside it. */
  HAPAX_HEALTH_HOST: z.string().default('127.0.0.1'),
  /** 0 takes any free port. */
  HAPAX_HEALTH_PORT: setting.port(0),
  /** Static tokens, for a local stack. */
  HAPAX_TOKENS: setting.optional(),
  /** Where the issuer of JWTs publishes its public keys; with issuer and audience, all of which a token must name. */
  HAPAX_JWKS_URL: z
    .string()
    .refine(isSafeUrl, 'give the address of the JWKS, with https (http only on the loopback)')
    .optional(),
  /** With it S3 may send its notifications to /v1/webhooks/s3. */
  HAPAX_S3_WEBHOOK_SECRET: z.string().min(16, 'give at least 16 characters').optional(),
  /** Who may send events to /v1/webhooks/{source}, and how they sign; see docs/webhooks.md. */
  HAPAX_WEBHOOKS: z
    .string()
    .default('{}')
    .transform((text, context) => {
      try {
        return EventSources.read(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    }),
  HAPAX_JWT_ISSUER: setting.optional(),
  HAPAX_JWT_AUDIENCE: setting.optional(),
  /** Which claims name tenant, environment, subject and role; see client/http/callers/claim-mapping.ts. */
  HAPAX_JWT_CLAIMS: setting.optional(),
  /** Whether API keys are taken, which `npm run keys` makes. */
  HAPAX_API_KEYS: z.enum(['on', 'off'], { error: 'give on or off' }).default('off'),
  /** New operations that one subject may begin in a minute; replays and questions are never refused. */
  HAPAX_NEW_PER_MINUTE: setting.whole('a number of operations', 1, 6_000),
  /**
   * How often one key may be asked for in a minute while its operation is open. A client that follows Retry-After asks
   * once a second at most; ten times as many leave room for a burst of copies.
   */
  HAPAX_ASKS_PER_KEY: setting.whole('a number of requests', 1, 600),
  /** Origins of web pages that may ask, separated by commas. */
  HAPAX_CORS_ORIGINS: z
    .string()
    .default('')
    .transform((list) =>
      list
        .split(',')
        .map((origin) => origin.trim())
        .filter((origin) => origin !== ''),
    ),
  /** Where files may go, and what each place takes; see docs/uploads.md. */
  HAPAX_DESTINATIONS: z
    .string()
    .default('{}')
    .transform((text, context) => {
      try {
        return Destinations.read(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    }),
  /** Where HTTP processes share copies of settled answers; see docs/dedup.md. Without it they share none. */
  REDIS_URL: z.string().refine(isRedisAddress, `give the ${redisAddress}`).optional(),
  /**
   * What becomes of a sign-up for an address that has an account: `silent` tells its owner by mail, `reveal` tells who asks; see
   * docs/signup.md.
   */
  HAPAX_TAKEN_ADDRESSES: z.enum(['silent', 'reveal'], { error: 'give silent or reveal' }).default('silent'),
  /** Settled answers that a door keeps in memory; 0 asks the ledger each time. */
  HAPAX_ANSWER_CACHE: setting.whole('a number of answers', 0, 100_000),
  /** Minutes between two comparisons of our books with the payment provider's ledger; 0: only by `hapax reconcile`. */
  HAPAX_RECONCILE_MINUTES: setting.whole('a number of minutes', 0, 60, 7 * 24 * 60),
  /** How calls of each outside system are kept within bounds, where not as it declares; see docs/production.md. */
  HAPAX_PROTECTION: z
    .string()
    .default('{}')
    .transform((text, context) => {
      try {
        return readProtection(text, [...Object.keys(systems), 'mail', 'sms', 'webhook']);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    }),
  HAPAX_TASK_QUEUE: z.string().default('hapax'),
  /** A bundle made by `npm run build:workflows`; without it a worker bundles at its start (2.6 s). */
  HAPAX_WORKFLOW_BUNDLE: setting.optional(),
  /** Ports of what `npm start` brings up itself, all on 127.0.0.1. PostgreSQL keeps clear of a system-wide one on 5432. */
  HAPAX_POSTGRES_PORT: setting.port(5433),
  HAPAX_TEMPORAL_PORT: setting.port(7233),
  HAPAX_TEMPORAL_UI_PORT: setting.port(8233),
  HAPAX_S3_PORT: setting.port(7070),
  /** Redis keeps clear of a system-wide one on 6379. */
  HAPAX_REDIS_PORT: setting.port(6380),
  /** Where the local stack keeps its data, logs and fetched binaries. */
  HAPAX_STATE_DIRECTORY: z.string().default('.hapax'),
  /** Binaries of one's own; without them the local stack looks on the PATH, in its cache, then fetches them. */
  TEMPORAL_CLI: setting.optional(),
  VERSITYGW: setting.optional(),
  NATS_SERVER: setting.optional(),
  PATH: z.string().default(''),
  HAPAX_LOG_LEVEL: z.enum(levels, { error: `give one of ${levels.join(', ')}` }).default('info'),
} as const;

/** What outside systems need, and the ports of their fakes, as each of them declares it. */
const outsideFields = Object.assign(
  {},
  ...Object.values(systems).flatMap(({ settings, fake }) => [settings, fake.port]),
) as FieldsOf<typeof systems>;
const fields = { ...ownFields, ...mailFields, ...brokerFields, ...sealFields, ...outsideFields };

export type Setting = keyof typeof fields;
export type Config = SettingsOf<typeof fields>;

export class ConfigFault extends Error {
  override readonly name = 'ConfigFault';
}

/**
 * Reads just the settings that a process needs, so that a worker does not ask for what only the door uses. Each may also
 * come from the file that `NAME_FILE` names.
 * @throws ConfigFault with one line for each variable at fault
 */
export function readConfig<const K extends Setting>(
  wanted: readonly K[],
  environment: Environment = process.env,
): Pick<Config, K> {
  const chosen = Object.fromEntries(wanted.map((name) => [name, fields[name]]));
  return readSettings(chosen, environment) as Pick<Config, K>;
}

/**
 * Reads settings that any declaration lists.
 * @throws ConfigFault with one line for each variable at fault
 */
export function readSettings<Fields extends SettingFields>(
  declared: Fields,
  environment: Environment,
): SettingsOf<Fields> {
  const faults: string[] = [];
  const config: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(declared)) {
    let value: string | undefined;
    try {
      value = settingValue(name, environment);
    } catch (fault) {
      if (!(fault instanceof SettingFault)) throw fault;
      faults.push(fault.message);
      continue;
    }
    // A variable that is empty was not set: shells and compose files leave such ones.
    const blank = value === '' && field.safeParse(undefined).success;
    const parsed = field.safeParse(blank ? undefined : value);
    if (parsed.success) config[name] = parsed.data;
    else faults.push(`${name} ${said(name, value)}: ${parsed.error.issues[0]?.message}${declaredBy(name)}`);
  }
  if (faults.length > 0) throw new ConfigFault(`Cannot start:\n  ${faults.join('\n  ')}`);
  return config as SettingsOf<Fields>;
}

/** What does not fit may be their password: one that is not encoded leaves no address to find it in. */
const addressesWithPasswords = new Set(['DATABASE_URL', 'REDIS_URL', 'SMTP_URL', 'NATS_URL']);

/** A secret is not told, and an address may hold a password. */
function said(name: string, value: string | undefined): string {
  if (value === undefined) return 'is not set';
  if (value === '') return 'is empty';
  if (addressesWithPasswords.has(name)) return 'is no address';
  const secret = /KEY|SECRET|PASSWORD|TOKEN|CREDENTIALS|WEBHOOKS/.test(name) || URL.parse(value)?.password;
  return secret ? 'does not fit' : `is ${JSON.stringify(value)}`;
}

/** Where an outside system says what it needs its settings for. */
function declaredBy(name: string): string {
  const system = Object.entries(systems).find(([, { settings }]) => name in settings)?.[0];
  return system === undefined ? '' : ` (declared in activities/outside/${system}.ts)`;
}

/** Whether npm has started this process: it then is our parent. */
export function startedByNpm(): boolean {
  return process.env.npm_lifecycle_event !== undefined;
}

/**
 * What the environment says of a setting, if anything: a part whose address is given is not started locally.
 * @throws ConfigFault where it is given twice, or its file cannot be read
 */
export function given(name: Setting): string | undefined {
  try {
    return settingValue(name, process.env) || undefined;
  } catch (fault) {
    throw fault instanceof SettingFault ? new ConfigFault(`Cannot start:\n  ${fault.message}`) : fault;
  }
}

/** The environment of a child process: ours, with what it is told on top, which replaces every variable that gives it. */
export function environmentWith(settings: Record<string, string | undefined>): Record<string, string | undefined> {
  const replaced = new Set(Object.keys(settings).flatMap(variablesOf));
  const kept = Object.entries(process.env).filter(([name]) => !replaced.has(name));
  return { ...Object.fromEntries(kept), ...settings };
}
