import { systems } from '../../../activities/outside/systems.ts';

/**
 * `writes` changes something outside, `looks` only asks there, `database` speaks to PostgreSQL outside the step's own
 * transaction, `rows` is a statement that changes rows, `tells` one that also writes a message into the outbox.
 */
export type Kind = 'writes' | 'looks' | 'database' | 'rows' | 'tells';

/** Packages that touch nothing outside the process, and query builders, which use what they are given. All others count as ways out. */
const quiet = [
  ...['@fastify', '@noble/hashes', '@temporalio/activity', '@temporalio/common', 'canonicalize', 'cockatiel'],
  ...['commander', 'content-disposition', 'dinero.js', 'fastify', 'fastify-type-provider-zod', 'file-type'],
  ...['find-my-way', 'hash-wasm', 'ipaddr.js', 'jose', 'lru-cache', 'mime', 'p-limit', 'pino', 'range-parser'],
  ...[
    'drizzle-orm',
    'kysely',
    'sharp',
    'standardwebhooks',
    'structured-headers',
    'zod',
    '@aws-sdk/s3-request-presigner',
    '@node-rs/argon2',
  ],
  ...[
    'buffer',
    'crypto',
    'events',
    'module',
    'os',
    'path',
    'perf_hooks',
    'stream',
    'timers',
    'url',
    'util',
    'zlib',
  ].map((name) => `node:${name}`),
];

/** Of packages that are a way out, the names that are none. */
const harmless: Readonly<Record<string, RegExp>> = {
  '@aws-sdk/client-s3': /^(?!.*Command$)(?!S3Client$)/,
  'node:net': /^isIP/,
  pg: /^escape/,
  stripe: /^errors$/,
};
const asks: Readonly<Record<string, RegExp>> = {
  '@aws-sdk/client-s3': /^(Get|Head|List)\w*Command$/,
  'node:dns/promises': /./,
  'node:fs': /^(access|exists|lstat|read|realpath|stat|createReadStream)/,
  'node:fs/promises': /^(access|lstat|read|realpath|stat)/,
};

export function ofPackage(specifier: string, name: string): Kind | undefined {
  if (quiet.some((one) => specifier === one || specifier.startsWith(`${one}/`))) return undefined;
  if (harmless[specifier]?.test(name)) return undefined;
  if (specifier === 'pg' || specifier === 'node-pg-migrate') return 'database';
  return asks[specifier]?.test(name) ? 'looks' : 'writes';
}

const ways = new Set([
  'fetch',
  'EventSource',
  'WebSocket',
  'XMLHttpRequest',
  'BroadcastChannel',
  'Worker',
  'globalThis',
]);

export function ofGlobal(name: string, member: string | undefined): Kind | undefined {
  if (name === 'process') return /^(abort|exit|kill|send|std)/.test(member ?? '') ? 'writes' : undefined;
  return ways.has(name) ? 'writes' : undefined;
}

/** Clients that code is given, by the name that they go under where no type is written. */
const clientNames: Readonly<Record<string, string>> = {
  database: 'Database',
  provider: 'PaymentProvider',
  ...Object.fromEntries(Object.keys(systems).map((name) => [name, 'system'])),
};

/** Types of clients: what is given one can write with it. */
export const holders: ReadonlySet<string> = new Set([
  ...['PaymentProvider', 'Stripe', 'RedisConnection', 'EventStream', 'OnceStream', 'NatsConnection'],
  ...['MailSender', 'SmsSender'],
]);

export const clientCalled = (name: string): string | undefined =>
  Object.hasOwn(clientNames, name) ? clientNames[name] : undefined;

const looks = new Set(['look', 'nextAction', 'givenBack', 'findRefund', 'money', 'payout', 'movements']);

/** @returns what the use of a member of a client is; a member that nobody has listed is a write */
export function ofClient(type: string, member: string, isCalled: boolean): Kind | undefined {
  switch (type) {
    case 'Database':
      return member === 'flushes' || member === 'proofs' ? undefined : 'database';
    case 'PaymentProvider':
      if (member === 'name') return undefined;
      return looks.has(member) ? 'looks' : 'writes';
    case 'system':
      return isCalled && clientCalled(member) === undefined ? 'writes' : undefined;
    default:
      return holders.has(type) ? 'writes' : undefined;
  }
}
