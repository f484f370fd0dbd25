import { setTimeout as pause } from 'node:timers/promises';
import {
  claimOnce,
  lookOnce,
  releaseOnce,
  renewOnce,
  settleOnce,
} from '../../activities/stores/postgres/dedup/once-entries.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import type { ConnectedLayer, Hold } from './layer.ts';

type PostgresLayerOptions = {
  /** Of a migrated database, such as `postgres://hapax@127.0.0.1:5432/hapax`. */
  readonly url: string;
  readonly tenant: string;
  /** Keeps the ids of one use apart from those of another. */
  readonly space: string;
};

/**
 * A row for each id decides. A holder that dies leaves a lease, after which the next call runs; what it did meanwhile is
 * done again, unless the system downstream looks at the fence. No other layer is needed beside it.
 */
export function postgresLayer({ url, tenant, space }: PostgresLayerOptions): ConnectedLayer {
  const database = new Database(url, 'hapax_app');
  const place = { tenant, space };
  return {
    place: [tenant, space],
    afterCrash: 'runs-again',
    look: (id) => lookOnce(database, place, id),
    // What this layer keeps it has decided itself.
    copy: async () => undefined,
    async claim(id, { lease }) {
      const claimed = await claimOnce(database, place, id, lease);
      return claimed.kind === 'ours' ? { kind: 'ours', hold: holdOf(claimed.fence) } : claimed;
    },
    renew: (id, { token: fence }, { lease }) => renewOnce(database, place, { id, fence }, lease),
    settle: (id, { token: fence }, answer, window) => settleOnce(database, place, { id, fence }, { answer, window }),
    release: (id, { token: fence }) => releaseOnce(database, place, { id, fence }),
    changed: (_id, atMost) => pause(atMost),
    close: () => database.close(),
  };
}

function holdOf(fence: string): Hold {
  return { token: fence, fence };
}
