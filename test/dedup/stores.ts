import { brokerLayer } from '../../client/dedup/broker-layer.ts';
import type { ConnectedLayer } from '../../client/dedup/layer.ts';
import { postgresLayer } from '../../client/dedup/postgres-layer.ts';
import { redisLayer } from '../../client/dedup/redis-layer.ts';

/** What a layer that processes share is connected with. */
export type StoreOf =
  | { readonly kind: 'redis' | 'broker'; readonly url: string; readonly onCrash: 'runs-again' | 'never-again' }
  | { readonly kind: 'postgres'; readonly url: string };

/** Whose ids PostgreSQL keeps: a faster layer knows them by it. */
export const place = { tenant: 'alpha', space: 'contract' } as const;

/** Connects one process's side of a shared layer. */
export function layerOf(store: StoreOf): ConnectedLayer {
  switch (store.kind) {
    case 'redis': {
      const { url, onCrash } = store;
      // On a loaded machine a question may take longer than a service would wait.
      return redisLayer({ url, onCrash, space: `${place.space}-${onCrash}`, within: 10_000, log: () => undefined });
    }
    case 'broker': {
      const { url, onCrash } = store;
      return brokerLayer({ url, onCrash, space: `${place.space}-${onCrash}`, within: 10_000 });
    }
    case 'postgres':
      return postgresLayer({ url: store.url, ...place });
  }
}
