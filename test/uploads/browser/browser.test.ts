import { createServer, type Server } from 'node:http';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { FaultyLine } from '../../support/faulty-line.ts';
import { placedOnce } from '../../support/one-upload.ts';
import { systemBinary } from '../../support/system-binary.ts';
import { sha256, Uploader } from '../../support/uploader.ts';
import { World } from '../../support/world.ts';

const binary = systemBinary('chromium', 'chromium');
const size = 50_000_000;

/** As the page makes them. */
function made(seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = seed;
  for (let at = 0; at < words.length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[at] = state;
  }
  return Buffer.from(words.buffer, 0, size);
}

describe.skipIf(binary === undefined)('Uppy in a browser, on a page of another origin,', () => {
  let world: World;
  let uploader: Uploader;
  let browser: Browser;
  let pages: Server;
  let origin: string;
  let front: FaultyLine;
  beforeAll(async () => {
    const bundle = await rolldown({
      input: fileURLToPath(new URL('page/page.ts', import.meta.url)),
      platform: 'browser',
    });
    const { output } = await bundle.generate({ format: 'iife', name: 'page' });
    const [{ code }] = output;
    pages = createServer((asked, answer) => {
      if (asked.url === '/page.js') answer.setHeader('content-type', 'text/javascript').end(code);
      else
        answer
          .setHeader('content-type', 'text/html')
          .end('<!doctype html><title>Uploads</title><script src="/page.js"></script>');
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => pages.once('listening', resolve));
    // localhost is a secure context, which crypto.subtle needs.
    origin = `http://localhost:${(pages.address() as { port: number }).port}`;
    world = await World.create(inject('ground'), { doors: 2, media: true, env: { HAPAX_CORS_ORIGINS: origin } });
    uploader = await Uploader.of(world);
    front = await FaultyLine.to(world.doors[0]?.address ?? expect.unreachable());
    browser = await chromium.launch({
      executablePath: binary ?? '',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
    await world.until('pages may send to the bucket', async () =>
      (await world.ask('GET', '/readyz?verbose=1', { token: null })).text.includes('bucket-cors'),
    );
  });
  afterAll(async () => {
    await browser.close();
    await front.close();
    await uploader.close();
    await world.close();
    pages.close();
  });

  const url = (): string => front.url.replace(/\/$/, '');

  async function opened(): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(origin);
    return page;
  }

  async function idOf(key: string): Promise<string> {
    return await world.until(`${key} is begun`, async () => {
      const rows = await world.sql<{ id: string }>('select id from hapax.operation where key = $1', key);
      return rows[0]?.id;
    });
  }

  async function killTheDoor(): Promise<void> {
    const victim = await world.start('workers/http.ts');
    front.turnTo(victim.address);
    await victim.kill();
    front.turnTo(world.doors[1]?.address ?? expect.unreachable());
  }

  const upload = async (page: Page, way: string, key: string, seed: number, more = {}): Promise<unknown> =>
    await page.evaluate(`upload(${JSON.stringify({ way, url: url(), key, size, seed, ...more })})`);

  it.each(['tus', 'aws-s3'])('brings 50 MB by %s, through a refresh and the death of a process', async (way) => {
    const [key, seed] = [`uppy ${way}`, way.length];
    const first = await opened();
    // The page does it itself: between a look from here and a reload, all of it could be sent.
    const lost = upload(first, way, key, seed, { reloadsAt: 20_000_000 }).catch(() => 'lost');
    const id = await idOf(key);
    expect(await lost).toBe('lost');
    const second = await opened();
    const done = upload(second, way, key, seed);
    await killTheDoor();
    expect(await done).toBe('done');
    await uploader.ended(id);
    await placedOnce(uploader, id, made(seed));
    expect(await world.sql('select from hapax.operation where key = $1', key)).toHaveLength(1);
    await first.close();
    await second.close();
  });

  it('sends a signed PUT to the bucket, which a preflight allows', async () => {
    const bytes = made(7).subarray(0, 100_000);
    const announced = await uploader.announced('page put', bytes, { transfer: 'presigned', sha256: sha256(bytes) });
    const page = await opened();
    const { url: target, headers } = announced.transfer;
    expect(await page.evaluate(`put(${JSON.stringify(target)}, ${JSON.stringify(headers)}, 100000, 7)`)).toBe(200);
    expect((await uploader.complete(announced.id)).status).toBe(200);
    await uploader.ended(announced.id);
    await placedOnce(uploader, announced.id, bytes);
    await page.close();
  });
});
