/**
 * The rooms of ARCHITECTURE.md. `heart` is workflows/operation, the pure model; `engine` is how stories
 * are told, and `teller` tells them in Temporal; `step engine` runs
 * steps; `stores` is activities/stores.
 */
export type Room =
  | 'heart'
  | 'engine'
  | 'teller'
  | 'workflows'
  | 'stores'
  | 'step engine'
  | 'activities'
  | 'client'
  | 'workers'
  | 'test';

const prefixes: [string, Room][] = [
  ['workflows/operation/', 'heart'],
  ['workflows/engine/', 'engine'],
  ['workflows/temporal/', 'teller'],
  ['workflows/', 'workflows'],
  ['activities/stores/', 'stores'],
  ['activities/engine/', 'step engine'],
  ['activities/', 'activities'],
  ['client/', 'client'],
  ['workers/', 'workers'],
  ['test/', 'test'],
];

/** What each room may import besides itself: workers → client → workflows → activities (types only) → stores → heart. */
const known: Record<Room, Room[]> = {
  heart: [],
  stores: ['heart'],
  engine: ['heart'],
  'step engine': ['stores', 'heart'],
  activities: ['step engine', 'stores', 'heart'],
  teller: ['engine', 'heart'],
  workflows: ['teller', 'engine', 'heart'],
  client: ['workflows', 'heart'],
  workers: ['client', 'workflows', 'activities', 'stores', 'heart'],
  test: ['workers', 'client', 'workflows', 'teller', 'engine', 'activities', 'step engine', 'stores', 'heart'],
};

/** The two declared side doors: claims and reads, and bytes, never pass through Temporal. */
const sideDoors = {
  from: /^client\/(gateway\.ts$|gateway\/|uploads\/|http\/)/,
  to: /^activities\/stores\/(postgres|s3)\//,
};

export function roomOf(path: string): Room | undefined {
  return prefixes.find(([prefix]) => path.startsWith(prefix))?.[1];
}

export function mayImport(from: string, to: string, typeOnly: boolean): boolean {
  const [here, there] = [roomOf(from), roomOf(to)];
  if (here === undefined || there === undefined) return here === 'test';
  if (here === there || known[here].includes(there)) return true;
  if (here === 'workflows' && there === 'activities') return typeOnly;
  return sideDoors.from.test(from) && sideDoors.to.test(to);
}
