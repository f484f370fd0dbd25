import type { Seals } from './seal/seals.ts';
import type { ClientsOf } from './outside/outside-system.ts';
import type { systems } from './outside/systems.ts';
import type { Database } from './stores/postgres/database.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';

/** What the media worker may reach. */
export type MediaStores = {
  readonly database: Database;
  readonly objects: ObjectStore;
};

/** What the worker for operations may reach: the stores, the seals, and the client of each outside system by its name. */
export type Stores = MediaStores & {
  readonly seals: Seals;
  /** What becomes of a sign-up for an address that has an account: only its owner is told, or who asks is told too. */
  readonly takenAddresses: 'silent' | 'reveal';
} & ClientsOf<typeof systems>;
