import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { Database } from '../../activities/stores/postgres/database.ts';
import { countUploads, type UploadBalance } from '../../activities/stores/postgres/upkeep/count-uploads.ts';
import { eachAtOnce } from '../support/each-at-once.ts';
import { OwnBucket } from '../support/own-bucket.ts';
import { picture } from '../support/upload-lane.ts';
import { seededRandom } from '../support/seeded-random.ts';

const uploads = 60;
const ways = ['finalized', 'failed', 'cancelled', 'expired', 'active'] as const;
type Way = (typeof ways)[number];
/** Milliseconds between two deaths of a worker. */
const between = 1_500;
const kills = 4;

let own: OwnBucket;
let ledger: Database;
beforeAll(async () => {
  own = await OwnBucket.create(inject('ground'), { workers: 2, doors: 2, media: true, upkeep: true });
  ledger = new Database(own.world.databaseUrl, 'hapax_upkeep', 1);
});
afterAll(async () => {
  await ledger.close();
  await own.close();
});

const sumOf = (balance: UploadBalance) => ways.reduce((sum, way) => sum + balance[way], 0);

it('uploads that were created are finalized, failed, cancelled, expired or active, at any moment of a storm', async () => {
  const { world, uploader } = own;
  const random = seededRandom(20_261_127);
  const whole = await picture();
  let announced = 0;
  let going = true;
  const samples: UploadBalance[] = [];
  const sampling = (async () => {
    while (going) {
      const before = announced;
      const sample = await countUploads(ledger);
      expect(sumOf(sample), JSON.stringify(sample)).toBe(sample.created);
      expect(sample.created).toBeGreaterThanOrEqual(before);
      samples.push(sample);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const killing = (async () => {
    for (let n = 0; n < kills; n += 1) {
      await new Promise((resolve) => setTimeout(resolve, between));
      const [victim] = world.running(n % 2 === 0 ? 'workers/operations.ts' : 'workers/media.ts');
      const script = victim?.name as string;
      await victim?.kill();
      await world.start(script);
    }
  })();

  const one = async (n: number): Promise<{ readonly id: string; readonly way: Way }> => {
    const way = ways[n % ways.length] as Way;
    await new Promise((resolve) => setTimeout(resolve, random() * between));
    const bytes = way === 'finalized' ? Buffer.concat([whole, randomBytes(8)]) : randomBytes(500);
    const type = way === 'failed' ? 'image/jpeg' : 'image/png';
    const sent = way === 'failed' ? Buffer.concat([whole, randomBytes(8)]) : bytes;
    const upload = await uploader.announced(`balance-${n}`, sent, { type });
    announced += 1;
    if (way === 'finalized' || way === 'failed')
      await world.until(`${upload.id} is sent`, async () => (await uploader.send(upload, sent)).status < 500);
    if (way === 'cancelled') await world.ask('POST', `/v1/operations/${upload.id}/cancel`);
    if (way === 'expired') await uploader.expire(upload.id);
    if (way !== 'active') await uploader.ended(upload.id);
    return { id: upload.id, way };
  };
  const ended: { id: string; way: Way }[] = [];
  await eachAtOnce(12, [...Array(uploads).keys()], async (n) => void ended.push(await one(n)));
  await killing;
  await world.until('it was looked at often', async () => samples.length > 50);
  going = false;
  await sampling;

  const each = uploads / ways.length;
  const balance = { created: uploads, ...Object.fromEntries(ways.map((way) => [way, each])) };
  expect(await countUploads(ledger)).toEqual(balance);
  // Counted where they are: one object for each that is finalized, and none for any other.
  const objects = await Promise.all(
    ended.map(async ({ id, way }) => [way, (await uploader.objects(id)).length] as const),
  );
  expect(objects.filter(([way, count]) => count !== (way === 'finalized' ? 1 : 0))).toEqual([]);
  const [upkeep] = world.running('workers/upkeep.ts');
  await upkeep?.stop();
  const again = await world.start('workers/upkeep.ts');
  const shown = async () => await (await fetch(`${again.address}/metrics`)).text();
  for (const [became, count] of Object.entries(balance))
    await world.until(became, async () => (await shown()).includes(`hapax_uploads{became="${became}"} ${count}\n`));
}, 240_000);
