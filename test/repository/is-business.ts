/**
 * The engine's own places in workflows/ and activities/. All else there is what a flow is about: its declaration, its
 * story, its effects. A folder ends in a slash; `*` stands for a file directly in a folder.
 */
export const enginePlaces = [
  'workflows/operation/',
  'workflows/engine/',
  'workflows/temporal/',
  // The list of flows, and what tells Temporal of it.
  ...['workflows/flows.ts', 'workflows/index.ts'],
  'activities/engine/',
  // How messages leave, whatever they say, where they may go, and how they are consumed.
  ...['activities/delivery/', 'activities/endpoint-address/', 'activities/relay/', 'activities/consume/'],
  ...['activities/seal/', 'activities/stores/message-source.ts'],
  // What gives the stories' names their activities, and the ledger's moves with them.
  ...['activities/create-activities.ts', 'activities/create-media-activities.ts', 'activities/create-sweeps.ts'],
  ...['activities/guard-systems.ts', 'activities/registration.ts', 'activities/stores.ts'],
  ...['connect-systems', 'outside-system', 'protection', 'setting', 'systems'].map(
    (file) => `activities/outside/${file}.ts`,
  ),
  'activities/stores/postgres/*',
  'activities/stores/redis/',
  'activities/stores/nats/',
  ...['callers', 'consumer', 'dedup', 'ground', 'inbox', 'ledger', 'migrations', 'outbox', 'upkeep'].map(
    (folder) => `activities/stores/postgres/${folder}/`,
  ),
] as const;

export function isBusiness(path: string): boolean {
  if (!path.startsWith('workflows/') && !path.startsWith('activities/')) return false;
  return !enginePlaces.some((place) => standsIn(place, path));
}

export function standsIn(place: string, path: string): boolean {
  if (place.endsWith('/')) return path.startsWith(place);
  if (!place.endsWith('*')) return path === place;
  return path.startsWith(place.slice(0, -1)) && !path.slice(place.length - 1).includes('/');
}
