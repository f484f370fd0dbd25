import type Stripe from 'stripe';
import type { Database } from './stores/postgres/database.ts';
import type { ObjectStore } from './stores/s3/object-store.ts';

/** What the media worker may reach. */
export type MediaStores = {
  readonly database: Database;
  readonly objects: ObjectStore;
};

/** What the worker for operations may reach. */
export type Stores = MediaStores & {
  readonly stripe: Stripe;
  /** Whether `stripe` speaks to a sandbox and not to Stripe. */
  readonly sandboxed: boolean;
};
