import { posix } from 'node:path';

/**
 * The rooms of ARCHITECTURE.md, and the walls between them. They are written here once: lint reads them while you type
 * (`walls-plugin.ts`), and `architecture.test.ts` reads them in every run.
 */
type Room =
  | 'heart'
  | 'declarations'
  | 'engine'
  | 'teller'
  | 'workflows'
  | 'postgres'
  | 'redis'
  | 'nats'
  | 's3'
  | 'stores'
  | 'file types'
  | 'seal'
  | 'endpoint addresses'
  | 'outside'
  | 'step engine'
  | 'delivery'
  | 'activities'
  | 'dedup'
  | 'gateway'
  | 'uploads'
  | 'events'
  | 'http'
  | 'sdk'
  | 'sandbox'
  | 'workers'
  | 'test';

type Walls = {
  /** A folder ends in a slash; `*` stands for a name. Where two rooms match, the longer path wins. */
  readonly at: readonly string[];
  /** Rooms that it may import besides itself. */
  readonly knows: readonly Room[];
  /** Rooms that it may import by type only. */
  readonly knowsByType?: readonly Room[];
  /** The only packages that it may import; without it, all that no other room keeps to itself (`keepers`). */
  readonly packages?: readonly string[];
  /** Why a wrong import of this room is wrong, for the person who wrote it. */
  readonly because: string;
};

/** Packages that give the same answer for the same input, and so may run where a story is replayed. */
const pure = ['@noble/hashes', '@temporalio/common', 'canonicalize', 'zod'];

const replayed = 'Workflows replay: they touch nothing outside and know activities by type only. Do it in an activity.';

export const rooms: Readonly<Record<Room, Walls>> = {
  heart: {
    at: ['workflows/operation/'],
    knows: [],
    packages: pure,
    because: 'The heart imports nothing of ours and touches nothing outside, so that every room may import it.',
  },
  declarations: {
    at: ['workflows/*.flow.ts', 'workflows/*.failures.ts', 'workflows/*.events.ts'],
    knows: ['heart'],
    packages: pure,
    because: `A declaration says what a flow is, so that every room may import it: it knows the heart only. ${replayed}`,
  },
  engine: {
    at: ['workflows/engine/'],
    knows: ['heart'],
    packages: pure,
    because: `The engine knows no flow and no Temporal. ${replayed}`,
  },
  teller: {
    at: ['workflows/temporal/'],
    knows: ['engine', 'heart'],
    packages: [...pure, '@temporalio/workflow'],
    because: `The teller tells stories in Temporal and knows none of them. ${replayed}`,
  },
  workflows: {
    at: ['workflows/'],
    knows: ['teller', 'engine', 'declarations', 'heart'],
    knowsByType: ['activities'],
    packages: pure,
    because: replayed,
  },
  postgres: {
    at: ['activities/stores/postgres/'],
    knows: ['stores', 'heart'],
    because: 'Activities import stores, never the reverse; of workflows they know workflows/operation only.',
  },
  redis: {
    at: ['activities/stores/redis/'],
    knows: ['heart'],
    because: 'Redis keeps copies and markers only, and knows nothing of what they mean.',
  },
  nats: {
    at: ['activities/stores/nats/'],
    knows: ['stores', 'heart'],
    because: 'The broker carries messages, and knows nothing of what they mean.',
  },
  s3: {
    at: ['activities/stores/s3/'],
    knows: ['postgres', 'stores', 'heart'],
    because: 'Activities import stores, never the reverse; of workflows they know workflows/operation only.',
  },
  stores: {
    at: ['activities/stores/'],
    knows: ['postgres', 'heart'],
    because: 'Activities import stores, never the reverse; of workflows they know workflows/operation only.',
  },
  'file types': {
    at: ['activities/file-type/'],
    knows: ['heart'],
    because: 'What a file is, by its bytes and its name, is asked in many rooms: it touches nothing outside.',
  },
  seal: {
    at: ['activities/seal/'],
    knows: ['heart'],
    because:
      'Sealing knows keys and places, and neither the ledger nor who asks, so that whoever seals or opens may import it.',
  },
  'endpoint addresses': {
    at: ['activities/endpoint-address/'],
    knows: ['heart'],
    because: 'Where a webhook may go is asked where endpoints are declared and where webhooks leave: it knows neither.',
  },
  outside: {
    at: ['activities/outside/'],
    // Its adapter, which is loaded where the system is connected.
    knows: ['stores'],
    because:
      'The declaration of an outside system is read by every process: of ours it knows its adapter, loaded as it connects.',
  },
  'step engine': {
    at: ['activities/engine/'],
    knows: ['postgres', 's3', 'stores', 'heart'],
    knowsByType: ['outside'],
    because: 'The step engine knows no flow and no caller: activities import it, never the reverse.',
  },
  delivery: {
    at: ['activities/delivery/'],
    knows: ['step engine', 'seal', 'endpoint addresses', 'postgres', 'stores', 'outside', 'heart'],
    because: 'How messages leave knows no flow. Flows tell the outbox, and this room alone speaks to mail servers.',
  },
  activities: {
    at: ['activities/'],
    knows: [
      ...(['delivery', 'step engine', 'file types', 'seal', 'endpoint addresses', 'postgres', 'nats'] as const),
      ...(['s3', 'stores', 'outside', 'declarations', 'heart'] as const),
    ],
    because:
      'Activities know nothing of their callers; of workflows they know declarations and workflows/operation only.',
  },
  dedup: {
    at: ['client/dedup/'],
    knows: ['postgres', 'redis', 'nats', 'heart'],
    because: '“Once for each id” is for services without the engine: it knows its layers, and no flow.',
  },
  gateway: {
    at: ['client/gateway.ts', 'client/gateway/'],
    knows: ['workflows', 'declarations', 'seal', 'postgres', 'redis', 'heart'],
    because: 'The gateway knows declarations and claims: neither activities nor the ways in that use it.',
  },
  uploads: {
    at: ['client/uploads/'],
    knows: ['gateway', 'workflows', 'declarations', 'file types', 'postgres', 's3', 'heart'],
    because: 'The ways in for bytes know the gateway and the stores: neither activities nor HTTP.',
  },
  events: {
    at: ['client/events/'],
    knows: ['gateway', 'workflows', 'declarations', 'postgres', 'heart'],
    because: 'The way in for events knows the gateway and the ledger: neither activities nor HTTP.',
  },
  http: {
    at: ['client/http/'],
    knows: [
      ...(['events', 'uploads', 'gateway', 'workflows', 'declarations', 'file types', 'endpoint addresses'] as const),
      ...(['postgres', 's3', 'heart'] as const),
    ],
    because:
      'The HTTP door asks the gateway. Of activities it may import stores/postgres, stores/s3, file-type and endpoint-address only.',
  },
  sdk: {
    at: ['sdk/'],
    knows: ['heart'],
    // What it imports is shipped to browsers.
    packages: [],
    because: 'The SDK runs in browsers and speaks HTTP only: no package, nothing of Node and nothing of the server.',
  },
  sandbox: {
    at: ['workers/sandbox/'],
    knows: [],
    because: 'The sandbox stands for an outside system, so that it knows nothing of ours.',
  },
  workers: {
    at: ['workers/'],
    knows: [
      ...(['sandbox', 'http', 'events', 'uploads', 'gateway', 'workflows', 'declarations', 'activities'] as const),
      ...(['delivery', 'seal', 'postgres', 'redis', 'nats', 's3', 'stores', 'outside', 'heart'] as const),
    ],
    because: 'Workers compose what the rooms export; engines are their rooms’ own, and product code imports no test.',
  },
  test: {
    at: ['test/'],
    knows: [
      ...([
        'workers',
        'sandbox',
        'http',
        'uploads',
        'events',
        'gateway',
        'dedup',
        'sdk',
        'workflows',
        'declarations',
        'teller',
        'engine',
      ] as const),
      ...([
        'activities',
        'delivery',
        'step engine',
        'file types',
        'seal',
        'endpoint addresses',
        'postgres',
        'redis',
        'nats',
        's3',
        'stores',
        'outside',
        'heart',
      ] as const),
    ],
    because: 'Tests may import everything in a room.',
  },
};

/** Packages that are a way to the outside belong to the rooms that own it. Tests may import all of them. */
const keepers: Readonly<Record<string, readonly Room[]>> = {
  '@temporalio/client': ['gateway', 'workers'],
  '@temporalio/worker': ['workers'],
  '@temporalio/activity': ['step engine'],
  // The teller alone: rooms of workflows/ name all their packages above.
  '@temporalio/workflow': [],
  '@aws-sdk': ['s3', 'workers'],
  fastify: ['http', 'workers'],
  '@fastify': ['http'],
  // The gateway listens on a connection that it is given.
  pg: ['postgres', 'gateway', 'workers'],
  stripe: ['stores', 'outside', 'activities', 'events'],
  standardwebhooks: ['events', 'delivery'],
  'ipaddr.js': ['endpoint addresses'],
  cockatiel: ['step engine', 'redis'],
  '@redis/client': ['redis'],
  nodemailer: ['delivery'],
  '@nats-io': ['nats', 'workers'],
};

export type Import = { readonly from: string; readonly specifier: string; readonly typeOnly: boolean };

/** The file of ours that an import names, or undefined for a package. */
export function target({ from, specifier }: Import): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined;
}

const places = Object.entries(rooms)
  .flatMap(([room, { at }]) => at.map((place) => ({ place, room: room as Room })))
  .toSorted((one, other) => other.place.length - one.place.length);

export function roomOf(path: string): Room | undefined {
  return places.find(({ place }) => stands(path, place))?.room;
}

function stands(path: string, place: string): boolean {
  if (place.endsWith('/')) return path.startsWith(place);
  const [before = '', after] = place.split('*');
  if (after === undefined) return path === place;
  return path.startsWith(before) && path.endsWith(after) && !path.slice(before.length).includes('/');
}

export function mayImport(from: string, to: string, typeOnly: boolean): boolean {
  const [here, there] = [roomOf(from), roomOf(to)];
  // Tests also read what stands beside the rooms, such as package.json.
  if (here === undefined || there === undefined) return here === 'test';
  if (here === there || rooms[here].knows.includes(there)) return true;
  return typeOnly && rooms[here].knowsByType?.includes(there) === true;
}

function mayUse(here: Room, specifier: string): boolean {
  const { packages } = rooms[here];
  const isOf = (name: string) => specifier === name || specifier.startsWith(`${name}/`);
  if (packages !== undefined) return packages.some(isOf);
  const keeper = Object.keys(keepers).find(isOf);
  return here === 'test' || keeper === undefined || keepers[keeper]?.includes(here) === true;
}

/** @returns what is wrong with an import, in a sentence; undefined where it passes no wall */
export function wallAgainst(found: Import): string | undefined {
  const here = roomOf(found.from);
  // Settings of tools, such as vitest.config.ts, are no room's.
  if (here === undefined && !found.from.includes('/')) return undefined;
  if (here === undefined) return `${found.from} stands in no room: name its room in test/repository/rooms.ts.`;
  const to = target(found);
  const allowed = to === undefined ? mayUse(here, found.specifier) : mayImport(found.from, to, found.typeOnly);
  return allowed ? undefined : `${found.from} may not import ${to ?? found.specifier}. ${rooms[here].because}`;
}
