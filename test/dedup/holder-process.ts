import { writeSync } from 'node:fs';
import { once } from '../../client/dedup/once.ts';
import { layerOf, type StoreOf } from './stores.ts';

/** Takes an id, says so, and never ends by itself: the test kills it. Arguments: the id, and what its layer needs, as JSON. */
const [id = '', store = ''] = process.argv.slice(2);
const { layer, lease, window } = JSON.parse(store) as { layer: StoreOf; lease: number; window: number };
await once(
  id,
  () => {
    writeSync(1, 'running\n');
    // A timer keeps the process alive, as work would.
    return new Promise<never>(() => setInterval(() => undefined, 1_000));
  },
  { layers: [layerOf(layer)], lease, window },
);
