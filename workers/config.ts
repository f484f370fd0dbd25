import { z } from 'zod';
import { type Environment, SettingFault, settingValue, variablesOf } from './setting-value.ts';

/** The only reader of the environment. Every fault is named at once, with the variable that mends it. */

const whole = (what: string, least: number, fallback: number, most?: number) => {
  const error = `give ${what}, a whole number from ${least} ${most === undefined ? 'on' : `to ${most}`}`;
  const number = z.coerce.number({ error }).int({ error }).min(least, { error });
  return (most === undefined ? number : number.max(most, { error })).default(fallback);
};
const port = (fallback: number) => whole('a port', 0, fallback, 65_535);
const required = (what: string) => z.string({ error: `give the ${what}` }).min(1, `give the ${what}`);
/** Whoever can change the answer of this URL on its way decides whom we let in. */
const isSafeUrl = (text: string) => {
  const { protocol, hostname } = URL.parse(text) ?? {};
  return protocol === 'https:' || (protocol === 'http:' && /^(127\.0\.0\.1|localhost|\[::1\])$/.test(hostname ?? ''));
};
const levels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

const postgresAddress = 'address of PostgreSQL, such as postgres://user:password@127.0.0.1:5432/hapax';

/** What each part of the stack answers to. A part whose variable is set is used as it is and never started locally. */
const fields = {
  DATABASE_URL: required(postgresAddress).regex(/^postgres(ql)?:\/\/[^/]/, `give the ${postgresAddress}`),
  /** Put into DATABASE_URL, encoded: a password of its own may hold any character, and may come from a file. */
  DATABASE_PASSWORD: z.string().optional(),
  TEMPORAL_ADDRESS: required('address of the Temporal server, such as 127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  S3_ENDPOINT: required('address of the S3 server, such as http://127.0.0.1:7070'),
  /** What URLs are signed for: the host is part of a signature, and a browser may see another one than we do. */
  S3_PUBLIC_ENDPOINT: z.string().optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_BUCKET: z.string().default('hapax'),
  S3_ACCESS_KEY_ID: required('access key of the S3 server'),
  S3_SECRET_ACCESS_KEY: required('secret key of the S3 server'),
  /** Empty means Stripe itself; the local stack points it at the payment sandbox. */
  STRIPE_API_BASE: z.string().optional(),
  STRIPE_SECRET_KEY: required('secret key of the payment provider'),
  HAPAX_HTTP_HOST: z.string().default('127.0.0.1'),
  HAPAX_HTTP_PORT: port(8080),
  /** The door's address as callers see it, where a proxy stands in front. */
  HAPAX_PUBLIC_URL: z.string().optional(),
  /** Where each worker process answers /healthz, /readyz and /metrics; a container's network asks from outside it. */
  HAPAX_HEALTH_HOST: z.string().default('127.0.0.1'),
  /** 0 takes any free port. */
  HAPAX_HEALTH_PORT: port(0),
  /** Static tokens, for a local stack. */
  HAPAX_TOKENS: z.string().optional(),
  /** Where the issuer of JWTs publishes its public keys; with issuer and audience, all of which a token must name. */
  HAPAX_JWKS_URL: z
    .string()
    .refine(isSafeUrl, 'give the address of the JWKS, with https (http only on the loopback)')
    .optional(),
  HAPAX_JWT_ISSUER: z.string().optional(),
  HAPAX_JWT_AUDIENCE: z.string().optional(),
  /** Which claims name tenant, environment, subject and role; see client/http/callers/claim-mapping.ts. */
  HAPAX_JWT_CLAIMS: z.string().optional(),
  /** Whether API keys are taken, which `npm run keys` makes. */
  HAPAX_API_KEYS: z.enum(['on', 'off'], { error: 'give on or off' }).default('off'),
  /** New operations that one subject may begin in a minute; replays and questions are never refused. */
  HAPAX_NEW_PER_MINUTE: whole('a number of operations', 1, 6_000),
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
  /** Settled answers that a door keeps in memory; 0 asks the ledger each time. */
  HAPAX_ANSWER_CACHE: whole('a number of answers', 0, 100_000),
  HAPAX_TASK_QUEUE: z.string().default('hapax'),
  /** A bundle made by `npm run build:workflows`; without it a worker bundles at its start (2.6 s). */
  HAPAX_WORKFLOW_BUNDLE: z.string().optional(),
  /** Ports of what `npm start` brings up itself, all on 127.0.0.1. PostgreSQL keeps clear of a system-wide one on 5432. */
  HAPAX_POSTGRES_PORT: port(5433),
  HAPAX_TEMPORAL_PORT: port(7233),
  HAPAX_TEMPORAL_UI_PORT: port(8233),
  HAPAX_S3_PORT: port(7070),
  HAPAX_SANDBOX_PORT: port(12_111),
  /** Where the local stack keeps its data, logs and fetched binaries. */
  HAPAX_STATE_DIRECTORY: z.string().default('.hapax'),
  /** Binaries of one's own; without them the local stack looks on the PATH, in its cache, then fetches them. */
  TEMPORAL_CLI: z.string().optional(),
  VERSITYGW: z.string().optional(),
  PATH: z.string().default(''),
  HAPAX_LOG_LEVEL: z.enum(levels, { error: `give one of ${levels.join(', ')}` }).default('info'),
} as const;

type Fields = typeof fields;
export type Setting = keyof Fields;
export type Config = { [K in Setting]: z.output<Fields[K]> };

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
  const faults: string[] = [];
  const config: Record<string, unknown> = {};
  for (const name of wanted) {
    let value: string | undefined;
    try {
      value = settingValue(name, environment);
    } catch (fault) {
      if (!(fault instanceof SettingFault)) throw fault;
      faults.push(fault.message);
      continue;
    }
    // A variable that is empty was not set: shells and compose files leave such ones.
    const blank = value === '' && fields[name].safeParse(undefined).success;
    const parsed = fields[name].safeParse(blank ? undefined : value);
    if (parsed.success) config[name] = parsed.data;
    else faults.push(`${name} ${said(name, value)}: ${parsed.error.issues[0]?.message}`);
  }
  if (faults.length > 0) throw new ConfigFault(`Cannot start:\n  ${faults.join('\n  ')}`);
  return config as Pick<Config, K>;
}

/** An address of PostgreSQL may hold a password; of other secrets nothing is asked but that they are there. */
function said(name: Setting, value: string | undefined): string {
  if (value === undefined) return 'is not set';
  if (value === '') return 'is empty';
  return name === 'DATABASE_URL' ? 'is no address' : `is ${JSON.stringify(value)}`;
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
