import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { purgeAssets } from '../../activities/purge-assets.ts';
import { Database } from '../../activities/stores/postgres/database.ts';
import { eachAtOnce } from './each-at-once.ts';
import type { Uploader } from './uploader.ts';

/** Milliseconds between two moments at which the last file of a content goes, while another upload brings it again. */
const between = 12;

/**
 * The last file of a content is given up while the same content comes again, at another moment in each race. Whoever wins,
 * the new file has its bytes.
 * @param destination where deleted files can be restored no more
 */
export async function raceForTheLast(uploader: Uploader, count: number, destination: string): Promise<void> {
  const { world } = uploader;
  const database = new Database(world.databaseUrl, 'hapax_app');
  const stores = { database, objects: uploader.store };
  const tenant = world.tenants.alpha;
  const race = async (n: number): Promise<void> => {
    const bytes = randomBytes(1_000);
    const first = (await uploader.upload(`race ${n}`, bytes, { destination })).json;
    const id = first.result.assetId as string;
    await world.ask('DELETE', `/v1/assets/${id}`);
    const again = await uploader.announce(`race ${n} again`, bytes, { destination });
    const giveUp = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, (n % 10) * between));
      await purgeAssets.clear(stores, { id, tenant });
    };
    const send = async () => {
      await uploader.send(again.json, bytes);
      return (await uploader.settled(again.json.id)).json;
    };
    const [placed] = await Promise.all([send(), giveUp()]);
    const asset = (await world.ask('GET', `/v1/assets/${placed.result.assetId}`)).json;
    const got = await fetch(asset.download.url);
    expect(Buffer.from(await got.arrayBuffer()).equals(bytes), `race ${n}`).toBe(true);
    expect(await world.sql('select from hapax.asset where id = $1', id)).toEqual([]);
  };
  try {
    await eachAtOnce(6, [...Array(count).keys()], race);
  } finally {
    await database.close();
  }
}
